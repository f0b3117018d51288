/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_VERSION_H
#define SL_APP_VERSION_H

#define SL_VERSION "0.1.0" /* as in CMakeLists.txt */

/* As old clients parse it: they want a version of the reference, and compare it with their own. */
#define SL_VERSION_WIRE "v8.5.4-sluice." SL_VERSION

#endif
