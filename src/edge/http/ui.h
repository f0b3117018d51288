/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_UI_H
#define SL_EDGE_HTTP_UI_H

#include <stddef.h>

/* The files of src/edge/http/ui, put into the program by the build (cmake/SluiceEmbed.cmake). */
struct sl__ui_file {
    const char *name;
    const unsigned char *bytes;
    size_t len;
};
extern const struct sl__ui_file sl__ui_files[];
extern const size_t sl__ui_file_count;

#endif
