/* A whole pull from a hub on loopback that cuts, lies, redirects and refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/file.h>

#include "base/alloc.h"
#include "base/file.h"
#include "hub/pull.h"
#include "support/fake_hub.h"
#include "support/folder.h"

enum { BIG = 60000 };

static uint8_t big[BIG];
static const char config[] = "{\"model_type\": \"mllama\"}\n";

typedef struct fixture {
    fake_hub hub;
    test_folder folder;
    char out[128];
    mdf_pull_options opt;
    mdf_pull_result result;
    mdf_error err;
    uint64_t last_done; /* of the progress */
    int notes;
    char note[1024]; /* the last one */
} fixture;

static void on_progress(void *user, const mdf_pull_progress *p)
{
    fixture *f = user;
    assert_true(p->done_bytes <= p->total_bytes);
    f->last_done = p->done_bytes;
}

static void on_note(void *user, const char *text)
{
    fixture *f = user;
    f->notes++;
    (void)snprintf(f->note, sizeof f->note, "%s", text);
}

static void set_up(fixture *f)
{
    memset(f, 0, sizeof *f);
    for (size_t i = 0; i < BIG; i++) {
        big[i] = (uint8_t)((i * 2654435761U) >> 13);
    }
    hub_add(&f->hub, "sub/model.safetensors", big, BIG, true);
    hub_add(&f->hub, "config.json", config, sizeof config - 1, false);
    hub_add(&f->hub, "empty", "", 0, true);
    hub_start(&f->hub);
    test_folder_make(&f->folder);
    (void)snprintf(f->out, sizeof f->out, "%s/out/deep", f->folder.path);
    f->opt = (mdf_pull_options){.from = {.hub = f->hub.server.url, .name = "org/tiny"},
                                .out_dir = f->out,
                                .attempts = 3,
                                .retry_ms = 1,
                                .stall_seconds = 1,
                                .progress = on_progress,
                                .note = on_note,
                                .user = f};
}

static void tear_down(fixture *f)
{
    mdf_pull_result_free(&f->result);
    http_server_end(&f->hub.server);
    test_folder_remove(&f->folder);
}

static mdf_status pull(fixture *f)
{
    mdf_pull_result_free(&f->result);
    f->err = (mdf_error){0};
    f->hub.asked = 0;
    f->notes = 0;
    f->note[0] = '\0';
    return mdf_pull(&f->result, &f->opt, &f->err);
}

static void must_pull(fixture *f)
{
    if (pull(f) != MDF_OK) {
        fail_msg("%s", f->err.text);
    }
}

static void must_fail(fixture *f, mdf_status status, const char *text)
{
    const mdf_status got = pull(f);
    if (got != status || strstr(f->err.text, text) == NULL) {
        fail_msg("%d '%s', want %d '%s'", (int)got, f->err.text, (int)status, text);
    }
}

/* "" = the file must not be there. */
static void path_of(const fixture *f, const char *name, char path[512])
{
    (void)snprintf(path, 512, "%s/%s", f->out, name);
}

static bool is_there(const fixture *f, const char *name)
{
    char path[512];
    path_of(f, name, path);
    return mdf_path_exists(path);
}

static void expect_file(const fixture *f, const char *name, const void *want, size_t len)
{
    char path[512];
    uint8_t *data = NULL;
    size_t n = 0;
    path_of(f, name, path);
    assert_int_equal(mdf_file_read(path, BIG, &data, &n, NULL), MDF_OK);
    assert_int_equal(n, len);
    assert_memory_equal(data, want, len);
    mdf_free(data);
}

static void put(const fixture *f, const char *name, const void *data, size_t len)
{
    char path[512];
    path_of(f, "sub", path);
    assert_int_equal(mdf_make_dirs(path, NULL), MDF_OK);
    path_of(f, name, path);
    assert_int_equal(mdf_file_write(path, data, len, NULL), MDF_OK);
}

/* The partial file of sub/model.safetensors. */
static const char *part_name(const fixture *f)
{
    static char name[128];
    char hex[MDF_SHA256_HEX + 1];
    hub_sum(&f->hub.file[0], hex);
    (void)snprintf(name, sizeof name, "sub/model.safetensors.%.16s.part", hex);
    return name;
}

static void expect_all(const fixture *f)
{
    expect_file(f, "sub/model.safetensors", big, BIG);
    expect_file(f, "config.json", config, sizeof config - 1);
    expect_file(f, "empty", "", 0);
    assert_false(is_there(f, part_name(f)));
    assert_false(is_there(f, "config.json.part"));
}

/* The question number n, and that it is the last one (or not). */
static void expect_question(fixture *f, int n, const char *want)
{
    (void)pthread_mutex_lock(&f->hub.server.lock);
    if (n >= f->hub.asked || strcmp(f->hub.log[n], want) != 0) {
        fail_msg("question %d of %d is '%s', want '%s'", n, f->hub.asked, f->hub.log[n], want);
    }
    (void)pthread_mutex_unlock(&f->hub.server.lock);
}

static void a_pull_and_another_one(void **state)
{
    (void)state;
    fixture f;
    set_up(&f);
    f.hub.token = "hf_abc";
    f.opt.token = "hf_abc";
    f.hub.commit = "0123456789abcdef";
    must_pull(&f);
    expect_all(&f);
    assert_int_equal(f.result.list.count, 3);
    assert_string_equal(f.result.list.file[2].path, "sub/model.safetensors");
    assert_string_equal(f.result.commit, "0123456789abcdef");
    assert_true(f.result.total_bytes == BIG + sizeof config - 1);
    assert_true(f.result.fetched_bytes == f.result.total_bytes);
    assert_true(f.last_done == f.result.total_bytes);
    assert_int_equal(f.result.outcome[2], MDF_PULL_FETCHED);
    assert_int_equal(f.hub.asked, 3); /* nothing for the empty file */
    expect_question(&f, 0, "/api/models/org/tiny/tree/main?recursive=true||Bearer hf_abc|");
    expect_question(&f, 1, "/org/tiny/resolve/main/config.json||Bearer hf_abc|");
    expect_question(&f, 2, "/org/tiny/resolve/main/sub/model.safetensors||Bearer hf_abc|");

    must_pull(&f); /* only what no sum proves comes again */
    expect_all(&f);
    assert_int_equal(f.hub.asked, 2);
    assert_int_equal(f.result.outcome[0], MDF_PULL_FETCHED);
    assert_int_equal(f.result.outcome[1], MDF_PULL_KEPT);
    assert_int_equal(f.result.outcome[2], MDF_PULL_KEPT);
    assert_true(f.last_done == f.result.total_bytes);

    uint8_t changed[BIG];
    memcpy(changed, big, BIG);
    changed[BIG - 1] ^= 1;
    put(&f, "sub/model.safetensors", changed, BIG); /* same size, other bytes */
    must_pull(&f);
    expect_all(&f);
    assert_int_equal(f.result.outcome[2], MDF_PULL_FETCHED);
    tear_down(&f);
}

static void a_data_set_has_addresses_of_its_own(void **state)
{
    (void)state;
    fixture f;
    set_up(&f);
    f.hub.dataset = true;
    f.hub.page = 2;
    must_fail(&f, MDF_ERR_IO, "org/tiny: the hub has no such repository");
    f.opt.from.kind = MDF_HUB_DATASET;
    must_pull(&f);
    expect_all(&f);
    expect_question(&f, 0, "/api/datasets/org/tiny/tree/main?recursive=true|||");
    expect_question(&f, 1, "/api/datasets/org/tiny/tree/main?recursive=true&cursor=2|||");
    expect_question(&f, 2, "/datasets/org/tiny/resolve/main/config.json|||");
    expect_question(&f, 3, "/datasets/org/tiny/resolve/main/sub/model.safetensors|||");
    f.hub.dataset = false;
    must_fail(&f, MDF_ERR_IO, "org/tiny: the hub has no such repository");
    tear_down(&f);
}

static void cuts_are_mended_within_a_run(void **state)
{
    (void)state;
    fixture f;
    char range[256];
    char hex[MDF_SHA256_HEX + 1];
    set_up(&f);
    f.hub.cut = 20000;
    f.hub.cuts = 2;
    must_pull(&f);
    expect_all(&f);
    assert_int_equal(f.notes, 2);
    assert_non_null(strstr(f.note, ": the connection was cut; next try in 0.0 s"));
    assert_true(f.result.fetched_bytes == f.result.total_bytes); /* nothing twice */
    hub_sum(&f.hub.file[0], hex);
    (void)snprintf(range, sizeof range,
                   "/org/tiny/resolve/main/sub/model.safetensors|bytes=40000-||\"%s\"", hex);
    expect_question(&f, 4, range);
    assert_int_equal(f.result.outcome[2], MDF_PULL_FETCHED);
    tear_down(&f);
}

static void a_later_run_goes_on(void **state)
{
    (void)state;
    fixture f;
    char want[512];
    set_up(&f);
    f.hub.cut = 100;
    f.hub.cuts = -1;
    f.hub.ignores_range = true; /* brings nothing new after the first try */
    must_fail(&f, MDF_ERR_IO, "sub/model.safetensors: 127.0.0.1:");
    assert_non_null(strstr(f.err.text, "the connection was cut; given up after 3 tries"));
    (void)snprintf(want, sizeof want,
                   "%s/%s keeps 100 of 60000 bytes; the same command goes on from there", f.out,
                   part_name(&f));
    assert_string_equal(f.note, want);
    expect_file(&f, part_name(&f), big, 100);
    assert_false(is_there(&f, "sub/model.safetensors"));

    f.hub.cuts = 0;
    f.hub.ignores_range = false;
    must_pull(&f);
    expect_all(&f);
    assert_int_equal(f.result.outcome[2], MDF_PULL_RESUMED);
    assert_true(f.result.fetched_bytes == f.result.total_bytes - 100);
    expect_question(&f, 2, "/org/tiny/resolve/main/sub/model.safetensors|bytes=100-||");
    tear_down(&f);
}

static void partial_files_of_every_kind(void **state)
{
    (void)state;
    fixture f;
    char path[512];
    set_up(&f);
    put(&f, part_name(&f), big, BIG); /* whole: only the name is missing */
    must_pull(&f);
    expect_all(&f);
    assert_int_equal(f.hub.asked, 2);

    path_of(&f, "sub/model.safetensors", path);
    assert_int_equal(unlink(path), 0);
    uint8_t other[BIG + 1];
    memset(other, 'x', sizeof other);
    put(&f, part_name(&f), other, 500); /* other bytes: noticed at the end, once anew */
    must_pull(&f);
    expect_all(&f);
    assert_int_equal(f.result.outcome[2], MDF_PULL_FETCHED);
    expect_question(&f, 2, "/org/tiny/resolve/main/sub/model.safetensors|bytes=500-||");
    expect_question(&f, 3, "/org/tiny/resolve/main/sub/model.safetensors|||");

    assert_int_equal(unlink(path), 0);
    put(&f, part_name(&f), other, BIG + 1); /* too long */
    must_pull(&f);
    expect_all(&f);
    expect_question(&f, 2, "/org/tiny/resolve/main/sub/model.safetensors|||");

    assert_int_equal(unlink(path), 0);
    put(&f, part_name(&f), big, 500); /* a server without ranges */
    f.hub.ignores_range = true;
    must_pull(&f);
    expect_all(&f);
    assert_int_equal(f.result.outcome[2], MDF_PULL_FETCHED);

    put(&f, "config.json.part", other, 5); /* no sum: never trusted */
    must_pull(&f);
    expect_all(&f);
    tear_down(&f);
}

static void a_file_that_changes_meanwhile_starts_anew(void **state)
{
    (void)state;
    fixture f;
    set_up(&f);
    f.opt.include = (const char *const[]){"*.safetensors"};
    f.opt.include_count = 1;
    f.hub.cut = 20000;
    f.hub.cuts = 1;
    (void)snprintf(f.hub.etag, sizeof f.hub.etag, "\"one\"");
    must_pull(&f);
    expect_question(&f, 2, "/org/tiny/resolve/main/sub/model.safetensors|bytes=20000-||\"one\"");
    expect_file(&f, "sub/model.safetensors", big, BIG);
    tear_down(&f);
}

static void wrong_bytes_are_never_kept(void **state)
{
    (void)state;
    fixture f;
    char hex[MDF_SHA256_HEX + 1];
    set_up(&f);
    f.hub.wrong_bytes = true;
    hub_sum(&f.hub.file[0], hex);
    must_fail(&f, MDF_ERR_FORMAT, "sub/model.safetensors: its SHA-256 is ");
    assert_non_null(strstr(f.err.text, hex));
    assert_non_null(strstr(f.err.text, "the bytes were thrown away"));
    assert_false(is_there(&f, "sub/model.safetensors"));
    assert_false(is_there(&f, part_name(&f)));
    f.hub.wrong_bytes = false;
    f.hub.lies = 1;
    must_fail(&f, MDF_ERR_FORMAT, "config.json: the server has 25 bytes, the hub's list says 26");
    tear_down(&f);
}

static void answers_that_may_pass(void **state)
{
    (void)state;
    fixture f;
    set_up(&f);
    f.hub.fails = 2;
    f.hub.fail_code = 503;
    must_pull(&f);
    expect_all(&f);
    assert_int_equal(f.notes, 2);
    f.hub.fails = -1;
    must_fail(&f, MDF_ERR_IO, "org/tiny: the server answers with 503; given up after 3 tries");
    f.hub.fail_code = 429;
    f.hub.fail_files_only = true;
    must_fail(&f, MDF_ERR_IO,
              "config.json: the server answers with 429, too many requests; given up after 3");
    f.hub.fails = 0;
    f.hub.cut = 10;
    f.hub.cuts = 1;
    f.hub.silent = true;
    must_pull(&f);
    assert_non_null(strstr(f.note, "no data comes; next try"));
    tear_down(&f);
}

static void refusals_say_what_to_do(void **state)
{
    (void)state;
    static const struct {
        int code;
        bool token;
        const char *reason, *list, *file;
    } known[] = {
        {401, false, NULL,
         "private, gated or not there; give a token with --token-file, MDF_TOKEN or",
         "the hub asks who you are (401); give a token"},
        {401, true, NULL, "the hub does not accept the token (401)",
         "the hub does not accept the token (401)"},
        {403, false, NULL, "forbidden (403); it may need a token", "forbidden (403); it may need"},
        {403, true, NULL, "forbidden (403): the token may not read it", "forbidden (403): the tok"},
        {403, true, "GatedRepo", "the repository is gated (403): ask for access",
         "the repository is gated (403): ask for access"},
        {404, false, NULL, "the hub has no such repository, or does not show it without a token",
         "is in the hub's list but not there (404)"},
        {404, false, "RevisionNotFound", "the repository has no such revision (404)",
         "is in the hub's list but not there (404)"},
        {418, false, NULL, "the server answers with 418", "the server answers with 418"},
    };
    fixture f;
    set_up(&f);
    f.hub.fails = -1;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char want[256];
        f.hub.fail_code = known[i].code;
        f.hub.code_reason = known[i].reason;
        f.opt.token = known[i].token ? "abc" : NULL;
        f.hub.fail_files_only = false;
        (void)snprintf(want, sizeof want, "org/tiny: %s", i == 0 ? "the hub asks" : known[i].list);
        must_fail(&f, MDF_ERR_IO, want);
        assert_non_null(strstr(f.err.text, known[i].list));
        assert_int_equal(f.hub.asked, 1);
        f.hub.fail_files_only = true;
        (void)snprintf(want, sizeof want, "config.json: %s", known[i].file);
        must_fail(&f, MDF_ERR_IO, want);
        assert_int_equal(f.hub.asked, 2);
    }
    tear_down(&f);
}

static void lists_that_are_refused(void **state)
{
    (void)state;
    fixture f;
    set_up(&f);
    f.hub.list = "[{\"type\":\"file\",\"size\":1,\"path\":\"../x\"}]";
    must_fail(&f, MDF_ERR_FORMAT, "org/tiny: the hub's list: '../x' leads out of the folder");
    assert_false(mdf_path_exists(f.out)); /* nothing was made */
    f.hub.list = "<html>";
    must_fail(&f, MDF_ERR_FORMAT, "org/tiny: the hub's list: line 1: not JSON");
    f.hub.list = "[{\"type\":\"file\",\"size\":2199023255552,\"path\":\"a\"},"
                 "{\"type\":\"file\",\"size\":2199023255552,\"path\":\"b\"},"
                 "{\"type\":\"file\",\"size\":2199023255552,\"path\":\"c\"},"
                 "{\"type\":\"file\",\"size\":2199023255552,\"path\":\"d\"}]";
    must_fail(&f, MDF_ERR_IO, "8796.09 GB are still to fetch, ");
    f.hub.list = "[{\"type\":\"file\",\"size\":1,\"path\":\"a.part\"}]";
    must_fail(&f, MDF_ERR_FORMAT, "a.part: such names are for partial files");
    f.hub.list = "[]";
    must_fail(&f, MDF_ERR_ARG, "org/tiny: none of its 0 files is chosen");
    tear_down(&f);
}

static void pages_stay_on_the_hub(void **state)
{
    (void)state;
    fixture f;
    set_up(&f);
    f.hub.page = 1;
    must_pull(&f);
    expect_all(&f);
    assert_int_equal(f.hub.asked, 5);
    static const char *const elsewhere[] = {"http://127.0.0.1:1/api/models/org/tiny/tree/main?x",
                                            "/api/models/org/other/tree/main?recursive=true"};
    for (size_t i = 0; i < 2; i++) {
        f.hub.next = elsewhere[i];
        must_fail(&f, MDF_ERR_FORMAT, "org/tiny: the hub's list goes on at another address");
        assert_int_equal(f.hub.asked, 1);
    }
    tear_down(&f);
}

static void globs_choose(void **state)
{
    (void)state;
    fixture f;
    set_up(&f);
    f.opt.include = (const char *const[]){"*.json", "*.safetensors"};
    f.opt.include_count = 2;
    f.opt.exclude = (const char *const[]){"sub/*"};
    f.opt.exclude_count = 1;
    must_pull(&f);
    assert_int_equal(f.result.list.count, 1);
    assert_string_equal(f.result.list.file[0].path, "config.json");
    f.opt.exclude = (const char *const[]){"*"};
    must_fail(&f, MDF_ERR_ARG, "org/tiny: none of its 3 files is chosen");
    tear_down(&f);
}

static void a_storage_host_gets_no_token(void **state)
{
    (void)state;
    fixture f;
    fake_hub store = {.repo = NULL};
    set_up(&f);
    memcpy(store.file, f.hub.file, sizeof store.file);
    store.files = f.hub.files;
    store.cut = 20000;
    store.cuts = 1;
    hub_start(&store);
    f.hub.token = "hf_abc";
    f.opt.token = "hf_abc";
    f.hub.redirect = store.server.url;
    f.hub.commit = "0123456789abcdef";
    must_pull(&f);
    expect_all(&f);
    assert_int_equal(store.asked, 3);
    for (int i = 0; i < store.asked; i++) {
        assert_null(strstr(store.log[i], "Bearer"));
    }
    assert_non_null(strstr(store.log[2], "|bytes=20000-||\""));
    http_server_end(&store.server);
    tear_down(&f);
}

static void a_redirect_to_a_file_is_refused(void **state)
{
    (void)state;
    fixture f;
    set_up(&f);
    f.hub.redirect = "file:///etc/passwd?";
    must_fail(&f, MDF_ERR_ARG, "config.json: 127.0.0.1: redirect to 'file:///etc/passwd");
    assert_false(is_there(&f, "config.json"));
    assert_false(is_there(&f, "config.json.part"));
    tear_down(&f);
}

static void a_revision_that_moves_is_noticed(void **state)
{
    (void)state;
    fixture f;
    set_up(&f);
    f.hub.commit = "fedcba9876543210";
    f.hub.commits = 1;
    must_fail(&f, MDF_ERR_FORMAT,
              "sub/model.safetensors: revision 'main' moved from 0123456789ab to fedcba987654");
    tear_down(&f);
}

static void what_is_in_the_way_is_named(void **state)
{
    (void)state;
    fixture f;
    char path[512];
    char want[600];
    set_up(&f);
    path_of(&f, "config.json", path);
    assert_int_equal(mdf_make_dirs(path, NULL), MDF_OK);
    (void)snprintf(want, sizeof want, "%s: is in the way: not a regular file", path);
    must_fail(&f, MDF_ERR_IO, want);
    assert_ptr_equal(strstr(f.err.text, path), f.err.text);
    assert_int_equal(rmdir(path), 0);

    put(&f, part_name(&f), "", 0);
    path_of(&f, part_name(&f), path);
    FILE *other = fopen(path, "r+");
    assert_non_null(other);
    assert_int_equal(flock(fileno(other), LOCK_EX), 0);
    must_fail(&f, MDF_ERR_IO, "another mdf pull is writing it");
    assert_true(mdf_path_exists(path)); /* it is the other one's */
    (void)fclose(other);
    must_pull(&f);
    expect_all(&f);
    tear_down(&f);
}

static void a_stop_keeps_the_partial_file(void **state)
{
    (void)state;
    static volatile sig_atomic_t stop;
    fixture f;
    set_up(&f);
    stop = 0;
    f.opt.stop = &stop;
    f.opt.include = (const char *const[]){"sub/*"};
    f.opt.include_count = 1;
    f.hub.cut = 300;
    f.hub.cuts = -1;
    f.hub.ignores_range = true;
    must_fail(&f, MDF_ERR_IO, "given up");
    stop = 2;
    must_fail(&f, MDF_ERR_STOPPED, "stopped by the user");
    expect_file(&f, part_name(&f), big, 300);
    tear_down(&f);
}

/* The library's allocations during the plan fail one after the other: nothing leaks, nothing is
 * left in the folder. */
static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    fixture f;
    set_up(&f);
    mdf_status status = MDF_ERR_NOMEM;
    int failures = 0;
    for (long n = 1; status != MDF_OK && n < 500; n++) {
        mdf_alloc_fail_after(n);
        status = pull(&f);
        mdf_alloc_fail_after(0);
        failures += status == MDF_ERR_NOMEM ? 1 : 0;
        assert_true(status == MDF_OK || status == MDF_ERR_NOMEM || status == MDF_ERR_LIMIT);
    }
    assert_int_equal(status, MDF_OK);
    assert_true(failures >= 5);
    expect_all(&f);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pull_and_another_one),
        cmocka_unit_test(a_data_set_has_addresses_of_its_own),
        cmocka_unit_test(cuts_are_mended_within_a_run),
        cmocka_unit_test(a_later_run_goes_on),
        cmocka_unit_test(partial_files_of_every_kind),
        cmocka_unit_test(a_file_that_changes_meanwhile_starts_anew),
        cmocka_unit_test(wrong_bytes_are_never_kept),
        cmocka_unit_test(answers_that_may_pass),
        cmocka_unit_test(refusals_say_what_to_do),
        cmocka_unit_test(lists_that_are_refused),
        cmocka_unit_test(pages_stay_on_the_hub),
        cmocka_unit_test(globs_choose),
        cmocka_unit_test(a_storage_host_gets_no_token),
        cmocka_unit_test(a_redirect_to_a_file_is_refused),
        cmocka_unit_test(a_revision_that_moves_is_noticed),
        cmocka_unit_test(what_is_in_the_way_is_named),
        cmocka_unit_test(a_stop_keeps_the_partial_file),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
