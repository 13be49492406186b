/* The interpreter against jinja2's texts (tests/golden/jinja), its limits, and what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "jinja/jinja.h"

static const struct tm moment = {
    .tm_year = 126, .tm_mon = 6, .tm_mday = 4, .tm_hour = 15, .tm_min = 6, .tm_sec = 7};

/* Compiles and renders; the text is the caller's to free, NULL on failure. */
static char *render(const char *text, size_t len, const json_t *root, size_t most,
                    mdf_status *status, mdf_error *err)
{
    mdf_jinja *t = NULL;
    mdf_strbuf out = mdf_strbuf_new(most);
    *status = mdf_jinja_compile(&t, "T", text, len, err);
    if (*status == MDF_OK) {
        *status = mdf_jinja_render(t, root, &(mdf_jinja_options){&moment}, &out, err);
    } else {
        assert_null(t);
    }
    mdf_jinja_free(t);
    if (*status == MDF_OK) {
        return out.data == NULL ? mdf_strdup("") : out.data;
    }
    mdf_strbuf_free(&out);
    return NULL;
}

static json_t *load_cases(void)
{
    uint8_t *data = NULL;
    size_t len = 0;
    assert_int_equal(
        mdf_file_read(MDF_TEST_DATA "/golden/jinja/cases.json", 1 << 20, &data, &len, NULL),
        MDF_OK);
    json_t *doc = json_loadb((const char *)data, len, JSON_ALLOW_NUL, NULL);
    mdf_free(data);
    assert_non_null(doc);
    return doc;
}

static void templates_render_as_jinja2_renders_them(void **state)
{
    (void)state;
    json_t *doc = load_cases();
    const json_t *cases = json_object_get(doc, "cases");
    size_t refused = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *row = json_array_get(cases, i);
        const json_t *text = json_array_get(row, 0);
        const json_t *want = json_array_get(row, 1);
        mdf_status status = MDF_OK;
        mdf_error err = {0};
        char *got = render(json_string_value(text), json_string_length(text),
                           json_object_get(doc, "root"), MDF_MAX_CHAT_BYTES, &status, &err);
        if (json_is_null(want) ? got != NULL
                               : got == NULL || strcmp(got, json_string_value(want)) != 0) {
            fail_msg("%s\n  want %s\n  got  %s", json_string_value(text),
                     json_is_null(want) ? "a refusal" : json_string_value(want),
                     got == NULL ? err.text : got);
        }
        if (got == NULL) {
            refused++;
            assert_int_equal(strncmp(err.text, "T: line ", 8), 0);
        }
        mdf_free(got);
    }
    assert_true(json_array_size(cases) > 600 && refused > 80);
    json_decref(doc);
}

static void expect(const char *text, mdf_status want, const char *sentence)
{
    mdf_status status = MDF_OK;
    mdf_error err = {0};
    json_t *root = json_pack("{s:s, s:[i]}", "s", "x", "l", 1);
    char *got = render(text, strlen(text), root, MDF_MAX_CHAT_BYTES, &status, &err);
    if (status != want || (sentence != NULL && strcmp(err.text, sentence) != 0)) {
        fail_msg("%.200s: status %d, \"%s\"", text, (int)status, err.text);
    }
    mdf_free(got);
    json_decref(root);
}

static void what_is_refused_is_named_with_its_line(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a\n{{ x | nope }}", "T: line 2: filter 'nope' is not known"},
        {"{{ x is nope }}", "T: line 1: test 'nope' is not known"},
        {"{% if s %}\n{{ s | nope }}{% endif %}", "T: line 2: filter 'nope' is not known"},
        {"\n\n{% include 'x' %}", "T: line 3: tag 'include' is not known here"},
        {"{% for i in l recursive %}{% endfor %}", "T: line 1: a recursive loop is not known"},
        {"{% if s %}\n", "T: line 1: expected elif else endif, got the end of the template"},
        {"{{ s", "T: line 1: a \"{{\" has no end"},
        {"\n{{ 'x }}", "T: line 2: a string has no end"},
        {"{{ s ! }}", "T: line 1: unexpected character '!'"},
        {"{{ (s] }}", "T: line 1: unexpected ']'"},
        {"{{ s[1 2] }}", "T: line 1: expected \"]\", got a number"},
        {"{{ 1\n+ nope.x }}", "T: line 2: 'nope' is undefined"},
        {"{{ s.nope + 1 }}", "T: line 1: 'str' has no 'nope'"},
        {"{{ l[3] + 1 }}", "T: line 1: 'list' has no element 3"},
        {"{{ l.append(2) }}", "T: line 1: 'append' of a list is unsafe: it would change it"},
        {"{{ s.zfill(3) }}", "T: line 1: the string method 'zfill' is not known"},
        {"{{ s + 1 }}", "T: line 1: '+' cannot be used on 'str' and 'int'"},
        {"{{ 9223372036854775807 + 1 }}", NULL},
        {"{{ strftime_now('%Q') }}", "T: line 1: strftime_now: \"%Q\" is not known"},
        {"{% set s.x = 1 %}", "T: line 1: 's' is no namespace: its 'x' cannot be set"},
        {"{{ s | replace('a') }}", "T: line 1: replace: argument 'new' is missing"},
        {"{{ s() }}", "T: line 1: 'str' object is not callable"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(cases[i][0], cases[i][1] == NULL ? MDF_ERR_LIMIT : MDF_ERR_FORMAT, cases[i][1]);
    }
    expect("{{ raise_exception('no ' ~ s) }}", MDF_ERR_ARG,
           "T: line 1: the template refuses: no x");
    expect("\xC3", MDF_ERR_FORMAT, "T: the template is not UTF-8 (byte 0)");
}

/* begin, n times middle, end. */
static char *long_text(const char *begin, const char *middle, size_t n, const char *end)
{
    const size_t len = strlen(middle);
    char *text = mdf_alloc(strlen(begin) + n * len + strlen(end) + 1, 1);
    char *at = text + strlen(begin);
    assert_non_null(text);
    memcpy(text, begin, strlen(begin));
    for (size_t i = 0; i < n; i++) {
        memcpy(at, middle, len);
        at += len;
    }
    memcpy(at, end, strlen(end));
    return text;
}

/* n are within the limit, n + 1 are not. */
static void check_limit(const char *begin, const char *middle, size_t n, const char *end)
{
    char *fits = long_text(begin, middle, n, end);
    char *more = long_text(begin, middle, n + 1, end);
    expect(fits, MDF_OK, NULL);
    expect(more, MDF_ERR_LIMIT, NULL);
    mdf_free(fits);
    mdf_free(more);
}

static void a_template_has_so_many_bytes(void **state)
{
    (void)state;
    check_limit("", "x", MDF_MAX_JINJA_BYTES, "");
}

static void a_template_has_so_many_words_and_nodes(void **state)
{
    (void)state;
    check_limit("{% if [", "1,", MDF_MAX_JINJA_NODES - 2, "] %}{% endif %}"); /* if, list */
    check_limit("{{", "''", MDF_MAX_JINJA_TOKENS - 3, "}}"); /* both brackets, the end */
}

static void nesting_has_a_limit(void **state)
{
    (void)state;
    char text[2 * MDF_MAX_JINJA_DEPTH + 16];
    const size_t n = MDF_MAX_JINJA_DEPTH - 2; /* the template itself, the whole expression */
    for (size_t extra = 0; extra < 2; extra++) {
        memcpy(text, "{{ ", 3);
        memset(text + 3, '(', n + extra);
        text[3 + n + extra] = '1';
        memset(text + 4 + n + extra, ')', n + extra);
        memcpy(text + 4 + 2 * (n + extra), "}}", 3);
        expect(text, extra == 0 ? MDF_OK : MDF_ERR_LIMIT, NULL);
    }
    check_limit("{{ 1", "+1", MDF_MAX_JINJA_DEPTH - 2, " }}"); /* the statement, the last 1 */
    expect("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", MDF_ERR_LIMIT, NULL);
    expect("{% set n = namespace() %}{% set n.n = n %}{{ n }}", MDF_ERR_LIMIT, NULL);
}

static void values_nest_no_deeper_than_the_limit(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        mdf_status status = MDF_OK;
        json_t *v = json_integer(1);
        for (int i = 1; i < MDF_MAX_JINJA_DEPTH + extra; i++) {
            v = json_pack("[o]", v);
        }
        json_t *root = json_pack("{s:o}", "v", v);
        mdf_free(render("{% if v %}{% endif %}", 21, root, 100, &status, NULL));
        assert_int_equal(status, extra == 0 ? MDF_OK : MDF_ERR_LIMIT);
        json_decref(root);
    }
}

static void work_memory_and_text_have_limits(void **state)
{
    (void)state;
    mdf_status status = MDF_OK;
    mdf_error err = {0};
    json_t *root = json_object();
    expect("{% for i in range(100000) %}{% endfor %}", MDF_OK, NULL);
    expect("{{ range(100001) }}", MDF_ERR_LIMIT, "T: line 1: a range has more than 100000 numbers");
    expect("{% set b = 'x' * 1000000 %}{% for i in range(60) %}{{ 'y' in b }}{% endfor %}", MDF_OK,
           NULL); /* a step for 32 bytes that are looked through */
    expect("{% set b = 'x' * 1000000 %}{% for i in range(70) %}{{ 'y' in b }}{% endfor %}",
           MDF_ERR_LIMIT, "T: line 1: it takes more than the limit of 2097152 steps");
    expect("{{ ('x' * 10000000) | length }}", MDF_OK, NULL);
    expect("{{ ('x' * 134217729) | length }}", MDF_ERR_LIMIT,
           "T: line 1: the values need more than the limit of 134217728 bytes");
    expect("{% for i in range(9) %}{% set x = [1] * 1000000 %}{% endfor %}", MDF_ERR_LIMIT,
           "T: line 1: the values need more than the limit of 134217728 bytes");
    expect("{% set x %}{{ 'x' * 5000000 }}{% endset %}", MDF_ERR_LIMIT,
           "T: line 1: the text is longer than the limit of 4194304 bytes");
    expect("{{ 'a' | indent(64) }}", MDF_OK, NULL);
    expect("{{ 'a' | indent(65) }}", MDF_ERR_LIMIT, NULL);
    expect("{{ [] | map(attribute='a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a') | list }}", MDF_OK, NULL);
    expect("{{ [] | map(attribute='a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a') | list }}", MDF_ERR_LIMIT,
           NULL);
    char *ten = render("{{ 'x' * 10 }}", 14, root, 10, &status, &err);
    assert_string_equal(ten, "xxxxxxxxxx");
    assert_null(render("{{ 'x' * 11 }}", 14, root, 10, &status, &err));
    assert_int_equal(status, MDF_ERR_LIMIT);
    assert_string_equal(err.text, "T: line 1: the text is longer than the limit of 10 bytes");
    mdf_free(ten);
    json_decref(root);
}

/* Uses most of what there is. */
static const char sample[] =
    "{%- macro f(a, b=2) -%} [{{ a ~ b }}{{ caller() if caller else '' }}] {%- endmacro -%}\n"
    "{# c #}{% set ns = namespace(n=0, t='') %}{% raw %}{{ }}{% endraw %}\n"
    "{% for k, v in {'a': [1, 2.5], \"b\": none}.items() if k is defined and not k == 'z' %}\n"
    "  {%- set ns.n = ns.n + loop.index %}{{- k | upper }}{{ v | tojson(indent=2) }}{{ v }}\n"
    "{%- else %}x{% endfor %}{{ f(1) }}{% call f(a=3) %}in{% endcall %}{% set y | trim %} {{ s }} "
    "{% endset %}{{ y[::-1] ~ s[0] ~ l[-1:] ~ (l | map('string') | join(',')) }}"
    "{% filter replace('a', 'b') %}aa{% endfilter %}{% with z = l | sort | first %}{{ z }}"
    "{% endwith %}{{ '%s|%d' % (s, 3) }}{{ '{}'.format(l) }}{% if ns.n > 2 or false %}ok"
    "{% elif 1 %}{% endif %}{{ strftime_now('%d %b %Y') }}{{ l | selectattr('x') | list }}"
    "{{ 'a b'.split() | dictsort if 0 else 'a,b'.split(',') }}{{ s.upper().find('X') + 7 // 2 }}";

static void no_cut_of_a_template_does_harm(void **state)
{
    (void)state;
    json_t *root = json_pack("{s:s, s:[i]}", "s", "x", "l", 1);
    for (size_t len = 0; len < sizeof sample - 1; len++) {
        mdf_status status = MDF_OK;
        mdf_error err = {0};
        char *exact =
            mdf_alloc(len + 1, 1); /* a read behind the end shows under AddressSanitizer */
        memcpy(exact, sample, len);
        char *got = render(exact, len, root, MDF_MAX_CHAT_BYTES, &status, &err);
        assert_true(status == MDF_OK || (status == MDF_ERR_FORMAT && err.text[0] == 'T'));
        mdf_free(got);
        mdf_free(exact);
    }
    json_decref(root);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    json_t *root = json_pack("{s:s, s:[i]}", "s", "x", "l", 1);
    mdf_status status = MDF_ERR_NOMEM;
    char *got = NULL;
    long n = 0;
    while (status != MDF_OK) {
        mdf_error err = {0};
        mdf_alloc_fail_after(++n);
        got = render(sample, sizeof sample - 1, root, MDF_MAX_CHAT_BYTES, &status, &err);
        mdf_alloc_fail_after(0);
        if (status != MDF_OK &&
            (status != MDF_ERR_NOMEM || strstr(err.text, "out of memory") == NULL)) {
            fail_msg("allocation %ld: status %d, %s", n, (int)status, err.text);
        }
    }
    assert_true(n > 20);
    mdf_free(got);
    json_decref(root);
}

/* Two that run at once would see each other's values if the template held any. */
static void a_template_renders_again_and_again(void **state)
{
    (void)state;
    static const char text[] = "{% set n = namespace(i=0) %}{% set n.i = n.i + x %}{{ n.i }}";
    mdf_jinja *t = NULL;
    mdf_strbuf out = mdf_strbuf_new(100);
    assert_int_equal(mdf_jinja_compile(&t, "T", text, sizeof text - 1, NULL), MDF_OK);
    for (int i = 1; i < 4; i++) {
        json_t *root = json_pack("{s:i, s:i}", "x", i, "unused", 1);
        assert_int_equal(mdf_jinja_render(t, root, NULL, &out, NULL), MDF_OK);
        json_decref(root);
    }
    assert_string_equal(out.data, "123");
    mdf_strbuf_free(&out);
    mdf_jinja_free(t);
}

static void the_date_is_todays_if_none_is_given(void **state)
{
    (void)state;
    static const char text[] = "{{ strftime_now('%Y-%m-%d') }}";
    mdf_jinja *t = NULL;
    mdf_strbuf out = mdf_strbuf_new(100);
    char want[2][16];
    json_t *root = json_object();
    for (int i = 0; i < 2; i++) { /* midnight may pass in between */
        struct tm day;
        const time_t now = time(NULL);
        assert_non_null(localtime_r(&now, &day));
        (void)strftime(want[i], sizeof want[i], "%Y-%m-%d", &day);
        if (i == 0) {
            assert_int_equal(mdf_jinja_compile(&t, "T", text, sizeof text - 1, NULL), MDF_OK);
            assert_int_equal(mdf_jinja_render(t, root, NULL, &out, NULL), MDF_OK);
        }
    }
    assert_true(strcmp(out.data, want[0]) == 0 || strcmp(out.data, want[1]) == 0);
    mdf_strbuf_free(&out);
    mdf_jinja_free(t);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_render_as_jinja2_renders_them),
        cmocka_unit_test(what_is_refused_is_named_with_its_line),
        cmocka_unit_test(a_template_has_so_many_bytes),
        cmocka_unit_test(a_template_has_so_many_words_and_nodes),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(values_nest_no_deeper_than_the_limit),
        cmocka_unit_test(work_memory_and_text_have_limits),
        cmocka_unit_test(no_cut_of_a_template_does_harm),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(a_template_renders_again_and_again),
        cmocka_unit_test(the_date_is_todays_if_none_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
