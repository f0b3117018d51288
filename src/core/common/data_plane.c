/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/data_plane.h"

int sl_placement_cmp(struct sl_placement a, struct sl_placement b)
{
    if (a.maintainer_epoch != b.maintainer_epoch)
        return a.maintainer_epoch < b.maintainer_epoch ? -1 : 1;
    if (a.seq != b.seq)
        return a.seq < b.seq ? -1 : 1;
    return 0;
}
