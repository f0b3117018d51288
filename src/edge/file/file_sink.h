/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FILE_FILE_SINK_H
#define SL_EDGE_FILE_FILE_SINK_H

#include "port/sink.h"

/*
 * file:///directory?protocol=canal-json|debezium|csv as a sink: files per table in one directory that all nodes see
 * (docs/file-sink.md). Exact and fenced: under the lock of a table its state says who may write and what is durable, so
 * that a commit that is repeated, in part or as a whole, writes nothing twice.
 */
extern const struct sl_sink_driver sl_file_sink_driver;

#endif
