/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_STORE_RANDOM_H
#define SL_TESTS_SUPPORT_STORE_RANDOM_H

#include "tests/support/store_suite.h"

/*
 * Random operations on a backend and on the model; every result, and everything a watch of all keys delivers, must be the same.
 * Revisions may begin elsewhere and leases have other ids. Up to at_once operations are in flight together; more than one
 * only for a backend that performs them in the order of submit.
 */
void sl_store_random_compare(const struct sl_store_harness *h, uint64_t seed, uint32_t op_count, uint32_t at_once);

/*
 * Whether a seed is to be compared: up to seed_count, and on until SL_STORE_SECONDS (of the environment) have gone by since
 * began. Says at the end how many there were.
 */
bool sl_store_random_goes_on(const struct sl_store_harness *h, uint64_t seed, uint64_t seed_count, sl_ns began);

#endif
