/* A configuration that is written and read back. The including file has cmocka's headers. */
#ifndef MDF_TEST_CONFIG_ROUND_TRIP_H
#define MDF_TEST_CONFIG_ROUND_TRIP_H

#include <string.h>

#include "config/config.h"

static mdf_config config, other; /* 90 kB each: not on the stack */

static void expect_round_trip(void)
{
    mdf_strbuf out = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES);
    mdf_strbuf again = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES);
    assert_int_equal(mdf_config_write(&config, &out, NULL), MDF_OK);
    memset(&other, 0x5a, sizeof other);
    mdf_error err = {0};
    assert_int_equal(mdf_config_parse(&other, out.data, out.len, "again", &err), MDF_OK);
    assert_memory_equal(&config, &other, sizeof config);
    assert_int_equal(mdf_config_write(&other, &again, NULL), MDF_OK);
    assert_string_equal(out.data, again.data);
    mdf_strbuf_free(&out);
    mdf_strbuf_free(&again);
}

#endif
