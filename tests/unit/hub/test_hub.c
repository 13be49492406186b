/* The list of a hub's files, entry by entry, and the addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "hub/hub.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"

static mdf_status parse(mdf_hub_list *l, const char *json, mdf_error *err)
{
    assert_int_equal(mdf_hub_list_init(l, NULL), MDF_OK);
    const mdf_status status = mdf_hub_list_add(l, (const uint8_t *)json, strlen(json), err);
    return status == MDF_OK ? mdf_hub_list_finish(l, err) : status;
}

static void files_are_sorted_and_folders_skipped(void **state)
{
    (void)state;
    mdf_hub_list l;
    mdf_error err = {0};
    assert_int_equal(
        parse(&l,
              "[{\"type\":\"file\",\"oid\":\"a\",\"size\":7,\"path\":\"z/\xc3\xa4 b.txt\"},"
              " {\"type\":\"directory\",\"path\":\"..\"}, {\"type\":\"new\",\"path\":\"x\"},"
              " {\"type\":\"file\",\"size\":134,\"path\":\"model.safetensors\","
              "  \"lfs\":{\"oid\":\"" SUM "\",\"size\":4976698672}},"
              " {\"type\":\"file\",\"size\":2199023255552,\"path\":\"n...o\",\"lfs\":null}]",
              &err),
        MDF_OK);
    assert_int_equal(l.count, 3);
    assert_string_equal(l.file[0].path, "model.safetensors");
    assert_true(l.file[0].bytes == 4976698672);
    assert_string_equal(l.file[0].sha256,
                        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    assert_string_equal(l.file[1].path, "n...o");
    assert_string_equal(l.file[1].sha256, "");
    assert_string_equal(l.file[2].path, "z/\xc3\xa4 b.txt");
    assert_true(l.file[2].bytes == 7);
    mdf_hub_list_free(&l);
    assert_int_equal(parse(&l, "[]", &err), MDF_OK);
    assert_int_equal(l.count, 0);
    mdf_hub_list_free(&l);
    mdf_hub_list_free(&l);
}

static void expect_fault(const char *json, mdf_status status, const char *text)
{
    mdf_hub_list l;
    mdf_error err = {0};
    const mdf_status got = parse(&l, json, &err);
    if (got != status || strstr(err.text, text) == NULL) {
        fail_msg("%s: '%s', want '%s'", json, err.text, text);
    }
    mdf_hub_list_free(&l);
}

static void paths_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text;
    } bad[] = {
        {"../x", "'../x' leads out of the folder"},
        {"a/../../x", "leads out of the folder"},
        {"a/..", "leads out of the folder"},
        {"/etc/x", "leads out of the folder"},
        {"", "has an empty part"},
        {"a//b", "has an empty part"},
        {"a/", "has an empty part"},
        {"./a", "has an empty part"},
        {"a/./b", "has an empty part"},
        {"a\\\\..\\\\b", "has a character that no path has"},
        {"a\\nb", "'a?b' has a character that no path has"},
        {"a\\u007fb", "has a character that no path has"},
        {".git/config", "would change a git repository"},
        {"a/.GIT/hooks/x", "would change a git repository"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char json[256];
        (void)snprintf(json, sizeof json, "[{\"type\":\"file\",\"size\":1,\"path\":\"%s\"}]",
                       bad[i].path);
        expect_fault(json, MDF_ERR_FORMAT, bad[i].text);
    }
    char json[1200];
    memset(json, 'a', sizeof json);
    memcpy(json, "[{\"type\":\"file\",\"size\":1,\"path\":\"", 33);
    memcpy(json + 33 + 231, "\"}]", 4);
    expect_fault(json, MDF_ERR_FORMAT, "has a name that is too long");
    memset(json + 33 + 231, 'a', 4);
    memcpy(json + 33 + 1025, "\"}]", 4);
    expect_fault(json, MDF_ERR_FORMAT, "is too long");
}

static void entries_that_are_none(void **state)
{
    (void)state;
    expect_fault("", MDF_ERR_FORMAT, "the hub's list: line 1: not JSON");
    expect_fault("{\"error\":\"x\"}", MDF_ERR_FORMAT, "not an array of files");
    expect_fault("[{\"type\":\"file\",\"size\":1}]", MDF_ERR_FORMAT,
                 "entry 0 has no type or no path");
    expect_fault("[{\"path\":\"a\",\"size\":1}]", MDF_ERR_FORMAT, "entry 0 has no type or no path");
    expect_fault("[7]", MDF_ERR_FORMAT, "entry 0 has no type or no path");
    expect_fault("[{\"type\":\"file\",\"path\":\"a\"}]", MDF_ERR_FORMAT,
                 "'a': its size is not a number");
    expect_fault("[{\"type\":\"file\",\"path\":\"a\",\"size\":-1}]", MDF_ERR_FORMAT,
                 "'a': its size is not a number");
    expect_fault("[{\"type\":\"file\",\"path\":\"a\",\"size\":1.5}]", MDF_ERR_FORMAT,
                 "'a': its size is not a number");
    expect_fault("[{\"type\":\"file\",\"path\":\"a\",\"size\":2199023255553}]", MDF_ERR_LIMIT,
                 "'a': 2199023255553 bytes, more than the limit of 2199023255552");
    expect_fault("[{\"type\":\"file\",\"path\":\"a\",\"size\":99999999999999999999}]",
                 MDF_ERR_FORMAT, "not JSON: too big integer");
    expect_fault("[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"lfs\":{\"oid\":\"12\"}}]",
                 MDF_ERR_FORMAT, "'a': lfs.oid is not a SHA-256 sum");
    expect_fault("[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"lfs\":{\"oid\":\"x" SUM "\"}}]",
                 MDF_ERR_FORMAT, "'a': lfs.oid is not a SHA-256 sum");
    expect_fault("[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"lfs\":{\"size\":1}}]",
                 MDF_ERR_FORMAT, "'a': lfs.oid is not a SHA-256 sum");
    expect_fault("[{\"type\":\"file\",\"path\":\"a\",\"path\":\"b\",\"size\":1}]", MDF_ERR_FORMAT,
                 "duplicate object key");
    expect_fault("[{\"type\":\"file\",\"path\":\"a\",\"size\":1},"
                 "{\"type\":\"file\",\"path\":\"a\",\"size\":2}]",
                 MDF_ERR_FORMAT, "'a' comes twice");
    mdf_hub_list l = {0};
    mdf_error err = {0};
    assert_int_equal(mdf_hub_list_add(&l, (const uint8_t *)"", (size_t)1 << 40, &err),
                     MDF_ERR_LIMIT);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    char json[8192] = "[";
    size_t n = 1;
    for (int i = 0; i < 100; i++) {
        n += (size_t)snprintf(json + n, sizeof json - n,
                              "%s{\"type\":\"file\",\"path\":\"f%d\",\"size\":1}",
                              i == 0 ? "" : ",", i);
    }
    (void)snprintf(json + n, sizeof json - n, "]");
    mdf_status status = MDF_ERR_NOMEM;
    for (long fail = 1; status != MDF_OK; fail++) {
        mdf_hub_list l;
        mdf_error err = {0};
        mdf_alloc_fail_after(fail);
        status = mdf_hub_list_init(&l, &err);
        status = status == MDF_OK ? mdf_hub_list_add(&l, (const uint8_t *)json, strlen(json), &err)
                                  : status;
        mdf_alloc_fail_after(0);
        assert_true(status == MDF_OK || status == MDF_ERR_NOMEM);
        assert_true(status != MDF_OK || l.count == 100);
        mdf_hub_list_free(&l);
        assert_true(fail < 100);
    }
}

static void addresses(void **state)
{
    (void)state;
    mdf_strbuf out = mdf_strbuf_new(4096);
    assert_int_equal(mdf_hub_list_url(&out,
                                      &(mdf_hub_repo){.hub = "https://h/x//",
                                                      .name = "Own-er/n.a_me",
                                                      .revision = "refs/pr/1"},
                                      NULL),
                     MDF_OK);
    assert_string_equal(out.data,
                        "https://h/x/api/models/Own-er/n.a_me/tree/refs%2Fpr%2F1?recursive=true");
    mdf_strbuf_clear(&out);
    mdf_hub_repo repo = {.hub = "http://h:1", .name = "name", .revision = "v1.0"};
    assert_int_equal(mdf_hub_file_url(&out, &repo, "a b/\xc3\xa4?#%.json", NULL), MDF_OK);
    assert_string_equal(out.data, "http://h:1/name/resolve/v1.0/a%20b/%C3%A4%3F%23%25.json");
    mdf_strbuf_clear(&out);
    repo.kind = MDF_HUB_DATASET;
    assert_int_equal(mdf_hub_file_url(&out, &repo, "a/b.png", NULL), MDF_OK);
    assert_string_equal(out.data, "http://h:1/datasets/name/resolve/v1.0/a/b.png");
    mdf_strbuf_clear(&out);
    repo.name = "o/n";
    assert_int_equal(mdf_hub_list_url(&out, &repo, NULL), MDF_OK);
    assert_string_equal(out.data, "http://h:1/api/datasets/o/n/tree/v1.0?recursive=true");
    mdf_strbuf_clear(&out);
    static const char *const bad[] = {"",       "/",     "a/",    "/b",   "a/b/c", "../b", "a/..",
                                      "a..b/c", "a b/c", "a/b?x", "-a/b", ".a/b",  "a/b\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mdf_error err = {0};
        repo.name = bad[i];
        assert_int_equal(mdf_hub_list_url(&out, &repo, &err), MDF_ERR_ARG);
        assert_non_null(strstr(err.text, "is not a repository: OWNER/NAME"));
    }
    static const char *const no_revision[] = {"", "a b", "a\r\nX: y", "\x7f"};
    repo.name = "a/b";
    for (size_t i = 0; i < sizeof no_revision / sizeof no_revision[0]; i++) {
        mdf_error err = {0};
        repo.revision = no_revision[i];
        assert_int_equal(mdf_hub_file_url(&out, &repo, "c", &err), MDF_ERR_ARG);
        assert_non_null(strstr(err.text, "is not a revision"));
    }
    char long_revision[MDF_HUB_REVISION_BYTES + 1];
    memset(long_revision, 'r', sizeof long_revision);
    long_revision[sizeof long_revision - 1] = '\0';
    assert_false(mdf_hub_is_revision(long_revision));
    long_revision[sizeof long_revision - 2] = '\0';
    assert_true(mdf_hub_is_revision(long_revision));
    mdf_strbuf_free(&out);
    mdf_strbuf small = mdf_strbuf_new(20);
    mdf_error err = {0};
    repo.revision = "main";
    assert_int_equal(mdf_hub_list_url(&small, &repo, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text, "the address is too long");
    mdf_strbuf_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_sorted_and_folders_skipped),
        cmocka_unit_test(paths_that_are_refused),
        cmocka_unit_test(entries_that_are_none),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
