/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/api_internal.h"

void sl__on_ui(struct sl__call *c)
{
    sl__answer_no_route(c);
}
void sl__on_openapi(struct sl__call *c)
{
    sl__answer_no_route(c);
}
