/* Header fields with a grammar: examples of RFC 9110 and RFC 8288, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hub/http_headers.h"

static void content_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t start;
        int64_t total;
    } known[] = {
        {"bytes 42-1233/1234", true, 42, 1234},
        {"bytes 42-1233/*", true, 42, -1},
        {"Bytes  0-0/1", true, 0, 1},
        {"bytes 0-9223372036854775806/9223372036854775807", true, 0, INT64_MAX},
        {"bytes */1234", false, 0, 0},
        {"bytes 5-4/10", false, 0, 0},
        {"bytes 0-10/10", false, 0, 0},
        {"bytes 0-1/2x", false, 0, 0},
        {"bytes 0-1/*2", false, 0, 0},
        {"bytes 0-1/", false, 0, 0},
        {"bytes 0-1", false, 0, 0},
        {"bytes -1/2", false, 0, 0},
        {"bytes 0-9223372036854775808/9223372036854775809", false, 0, 0},
        {"lines 0-1/2", false, 0, 0},
        {"bytes", false, 0, 0},
        {"", false, 0, 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint64_t start = 0;
        int64_t total = 0;
        const bool ok =
            mdf_http_content_range(known[i].text, strlen(known[i].text), &start, &total);
        if (ok != known[i].ok || start != known[i].start || total != known[i].total) {
            fail_msg("'%s'", known[i].text);
        }
    }
}

static void next_links(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* NULL = none */
    } known[] = {
        {"<https://h/a?cursor=1>; rel=\"next\"", "https://h/a?cursor=1"},
        {"</a;b,c>;rel=next", "/a;b,c"},
        {"<x>; rel=prev, <y> ; title=\"a, <b>; \\\" rel=next\" ; rel=\"next\", <z>; rel=next", "y"},
        {"<x>; REL=\"Next\"", "x"},
        {"<x>; rel = next", "x"},
        {"<x>; rel=\"prev\"", NULL},
        {"<x>; title=next", NULL},
        {"<x>; rel=\"next", NULL},
        {"<x", NULL},
        {"x; rel=next", NULL},
        {"<>; rel=next", NULL},
        {"<x>, rel=next", NULL},
        {"<123456789012345678901234>; rel=next", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char out[24] = "";
        const bool ok = mdf_http_link_next(known[i].text, strlen(known[i].text), out, sizeof out);
        if (ok != (known[i].want != NULL) || strcmp(out, ok ? known[i].want : "") != 0) {
            fail_msg("'%s' gives '%s'", known[i].text, out);
        }
    }
}

static void strong_etags(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } known[] = {{"\"xyzzy\"", true},   {"W/\"xyzzy\"", false},  {"\"\"", false},
                 {"xyzzy", false},      {"\"a\"b\"", false},     {"\"a b\"", false},
                 {"\"a\r\nb\"", false}, {"\"12345678\"", false}, {"", false}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char out[10] = "";
        const bool ok = mdf_http_strong_etag(known[i].text, strlen(known[i].text), out, sizeof out);
        if (ok != known[i].ok || strcmp(out, ok ? known[i].text : "") != 0) {
            fail_msg("'%s' gives '%s'", known[i].text, out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_ranges),
        cmocka_unit_test(next_links),
        cmocka_unit_test(strong_etags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
