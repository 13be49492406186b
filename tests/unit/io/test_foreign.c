/* Foreign files are told by the first bytes that their specifications give them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/foreign.h"

static void each_kind_has_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t magic; /* bytes that make the kind */
        const char *name;
    } known[] = {
        {"PAR1\x15\x04", 4, "Parquet"},    {"ARROW1\0", 6, "Arrow"},
        {"\x89HDF\r\n\x1a\nx", 8, "HDF5"}, {"PK\x03\x04\x14", 4, "zip"},
        {"\x1f\x8b\x08", 2, "gzip"},       {"tjgg\x03", 4, "GGML"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const uint8_t *bytes = (const uint8_t *)known[i].bytes;
        for (size_t n = 0; n <= known[i].magic; n++) {
            const char *kind = mdf_foreign_kind(bytes, n);
            if (n < known[i].magic) {
                assert_null(kind);
            } else {
                assert_non_null(kind);
                assert_non_null(strstr(kind, known[i].name));
            }
        }
    }
    assert_null(mdf_foreign_kind((const uint8_t *)"GGUF\3\0\0", 8));
    assert_null(mdf_foreign_kind((const uint8_t *)"{\"a\": 1}", 8));
    assert_null(mdf_foreign_kind((const uint8_t *)"", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
