/* One GET against a server on loopback: what is followed, what is refused, who gets the token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"
#include "hub/http.h"
#include "support/http_server.h"

/* What a server answers, and what it was asked. */
typedef struct script {
    http_answer answer;
    const char *location; /* NULL = none */
    int redirects;        /* as often; then the answer */
    char who[8][512];     /* Authorization of each question */
    int asked;
} script;

typedef struct body {
    uint8_t data[4096];
    size_t len;
    int begun;
    mdf_status fail;
} body;

static void play(void *user, const http_question *q, http_answer *a)
{
    script *s = user;
    if (s->asked < 8) {
        (void)http_header(q, "Authorization", s->who[s->asked]);
    }
    s->asked++;
    if (s->location != NULL && s->redirects-- > 0) {
        a->code = 302;
        (void)snprintf(a->headers, sizeof a->headers, "Location: %s\r\n", s->location);
        return;
    }
    *a = s->answer;
}

static mdf_status on_begin(void *user, const mdf_http_reply *r, mdf_error *err)
{
    body *b = user;
    (void)r;
    b->begun++;
    return b->fail == MDF_OK ? MDF_OK : mdf_fail(err, b->fail, "begin says no");
}

static mdf_status on_bytes(void *user, const uint8_t *data, size_t len, mdf_error *err)
{
    body *b = user;
    (void)err;
    assert_true(len <= sizeof b->data - b->len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return MDF_OK;
}

static script plain(const char *text)
{
    return (script){
        .answer = {
            .code = 200, .body = (const uint8_t *)text, .len = strlen(text), .sent = SIZE_MAX}};
}

/* Asks url once. */
static mdf_status get_with(const mdf_http_options *opt, const char *url, uint64_t start,
                           mdf_http_reply *reply, body *b, mdf_error *err)
{
    mdf_http *h = NULL;
    assert_int_equal(mdf_http_open(&h, opt, err), MDF_OK);
    const mdf_http_request request = {.url = url,
                                      .range_start = start,
                                      .max_bytes = 1000,
                                      .begin = on_begin,
                                      .body = on_bytes,
                                      .user = b};
    const mdf_status status = mdf_http_get(h, &request, reply, err);
    mdf_http_close(h);
    return status;
}

static mdf_status get(const char *url, mdf_http_reply *reply, body *b, mdf_error *err)
{
    return get_with(&(mdf_http_options){.stall_seconds = 1}, url, 0, reply, b, err);
}

static void a_body_and_its_headers(void **state)
{
    (void)state;
    script s = plain("hello");
    http_server server;
    (void)snprintf(s.answer.headers, sizeof s.answer.headers,
                   "ETag: \"abc\"\r\nX-Repo-Commit: 12ab\r\nX-Error-Code: GatedRepo\r\n"
                   "Retry-After: 7\r\nLink: </next?x=1>; rel=\"next\"\r\n");
    http_server_start(&server, play, &s);
    mdf_http_reply r;
    body b = {.len = 0};
    mdf_error err = {0};
    assert_int_equal(get(server.url, &r, &b, &err), MDF_OK);
    assert_int_equal(r.code, 200);
    assert_true(r.final_host);
    assert_int_equal(r.body_bytes, 5);
    assert_string_equal(r.etag, "\"abc\"");
    assert_string_equal(r.commit, "12ab");
    assert_string_equal(r.reason, "GatedRepo");
    assert_int_equal(r.retry_seconds, 7);
    char next[128];
    (void)snprintf(next, sizeof next, "%s/next?x=1", server.url);
    assert_string_equal(r.next_url, next);
    assert_int_equal(b.begun, 1);
    assert_int_equal(b.len, 5);
    assert_memory_equal(b.data, "hello", 5);
    http_server_end(&server);
}

static void an_empty_body_begins_too_and_an_error_page_does_not(void **state)
{
    (void)state;
    script s = plain("");
    http_server server;
    http_server_start(&server, play, &s);
    mdf_http_reply r;
    body b = {.len = 0};
    mdf_error err = {0};
    assert_int_equal(get(server.url, &r, &b, &err), MDF_OK);
    assert_int_equal(b.begun, 1);
    http_server_end(&server);

    static uint8_t page[3 << 20]; /* longer than anybody reads */
    s = plain("");
    s.answer.code = 503;
    s.answer.body = page;
    s.answer.len = sizeof page;
    http_server_start(&server, play, &s);
    b = (body){.len = 0};
    assert_int_equal(get(server.url, &r, &b, &err), MDF_OK);
    assert_int_equal(r.code, 503);
    assert_int_equal(b.begun, 0);
    assert_int_equal(b.len, 0);
    http_server_end(&server);
}

static void what_is_too_long_or_unwanted_ends(void **state)
{
    (void)state;
    static uint8_t page[2000];
    script s = plain("");
    http_server server;
    s.answer.body = page;
    s.answer.len = sizeof page;
    http_server_start(&server, play, &s);
    mdf_http_reply r;
    body b = {.len = 0};
    mdf_error err = {0};
    assert_int_equal(get(server.url, &r, &b, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text, "the server wants to send 2000 bytes, 1000 at most");
    assert_false(r.transient);
    s.answer.no_length = true;
    assert_int_equal(get(server.url, &r, &b, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text, "the server sends more than 1000 bytes");
    s.answer.len = 10;
    b.fail = MDF_ERR_FORMAT;
    assert_int_equal(get(server.url, &r, &b, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "begin says no");
    s.answer.len = 0;
    assert_int_equal(get(server.url, &r, &b, &err), MDF_ERR_FORMAT);
    http_server_end(&server);
}

static void a_part_must_be_the_one_that_was_asked_for(void **state)
{
    (void)state;
    script s = plain("world");
    http_server server;
    s.answer.code = 206;
    (void)snprintf(s.answer.headers, sizeof s.answer.headers, "Content-Range: bytes 6-10/11\r\n");
    http_server_start(&server, play, &s);
    mdf_http_reply r;
    body b = {.len = 0};
    mdf_error err = {0};
    const mdf_http_options opt = {.stall_seconds = 1};
    assert_int_equal(get_with(&opt, server.url, 6, &r, &b, &err), MDF_OK);
    assert_true(r.range_start == 6);
    assert_true(r.range_total == 11);
    assert_int_equal(get_with(&opt, server.url, 5, &r, &b, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text,
                        "the server sends another part of the file than it was asked for");
    s.answer.headers[0] = '\0';
    assert_int_equal(get_with(&opt, server.url, 6, &r, &b, &err), MDF_ERR_FORMAT);
    http_server_end(&server);
}

static void failures_that_may_pass(void **state)
{
    (void)state;
    script s = plain("hello");
    http_server server;
    char want[128];
    mdf_http_reply r;
    body b = {.len = 0};
    mdf_error err = {0};
    s.answer.sent = 2;
    http_server_start(&server, play, &s);
    assert_int_equal(get(server.url, &r, &b, &err), MDF_ERR_IO);
    assert_true(r.transient);
    (void)snprintf(want, sizeof want, "127.0.0.1:%d: the connection was cut", server.port);
    assert_string_equal(err.text, want);
    assert_int_equal(b.len, 2);
    s.answer.silent = true;
    assert_int_equal(get(server.url, &r, &b, &err), MDF_ERR_IO);
    assert_true(r.transient);
    (void)snprintf(want, sizeof want, "127.0.0.1:%d: no data comes", server.port);
    assert_string_equal(err.text, want);
    http_server_end(&server);
    assert_int_equal(get(server.url, &r, &b, &err), MDF_ERR_IO);
    assert_true(r.transient);
    (void)snprintf(want, sizeof want, "127.0.0.1:%d: can't connect", server.port);
    assert_string_equal(err.text, want);
}

/* A label of 64 letters can't be a host's name, so nobody is asked for it. */
static void a_host_that_does_not_exist_can_be_asked_for_again(void **state)
{
    (void)state;
    char host[80] = "";
    char url[128];
    char want[128];
    mdf_http *h = NULL;
    memset(host, 'a', 64);
    (void)snprintf(url, sizeof url, "http://%s.invalid/", host);
    (void)snprintf(want, sizeof want, "%s.invalid:80: no such host", host);
    assert_int_equal(mdf_http_open(&h, &(mdf_http_options){.stall_seconds = 5}, NULL), MDF_OK);
    for (int i = 0; i < 3; i++) {
        mdf_http_reply r;
        mdf_error err = {0};
        assert_int_equal(mdf_http_get(h, &(mdf_http_request){.url = url}, &r, &err), MDF_ERR_IO);
        assert_string_equal(err.text, want);
        assert_true(r.transient);
    }
    mdf_http_close(h);
}

static void the_stop_flag_ends_a_silent_transfer(void **state)
{
    (void)state;
    static const volatile sig_atomic_t stop = 1;
    script s = plain("hello");
    http_server server;
    s.answer.sent = 2;
    s.answer.silent = true;
    http_server_start(&server, play, &s);
    mdf_http_reply r;
    body b = {.len = 0};
    mdf_error err = {0};
    assert_int_equal(get_with(&(mdf_http_options){.stop = &stop}, server.url, 0, &r, &b, &err),
                     MDF_ERR_STOPPED);
    assert_false(r.transient);
    http_server_end(&server);
}

static void redirects_are_followed_but_not_everywhere(void **state)
{
    (void)state;
    script s = plain("hello");
    http_server server;
    mdf_http_reply r;
    body b = {.len = 0};
    mdf_error err = {0};
    http_server_start(&server, play, &s);
    s.location = "/elsewhere";
    s.redirects = 8;
    assert_int_equal(get(server.url, &r, &b, &err), MDF_OK);
    assert_int_equal(r.code, 200);
    assert_int_equal(b.len, 5);
    assert_int_equal(s.asked, 9);
    s.redirects = 9;
    assert_int_equal(get(server.url, &r, &b, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "127.0.0.1: more than 8 redirects");
    static const char *const bad[] = {"file:///etc/passwd", "ftp://127.0.0.1/x",
                                      "http://user:password@127.0.0.1/", "gopher://x/y"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char want[256];
        s.location = bad[i];
        s.redirects = 1;
        assert_int_equal(get(server.url, &r, &b, &err), MDF_ERR_ARG);
        assert_false(r.transient);
        (void)snprintf(want, sizeof want,
                       "127.0.0.1: redirect to '%s' refused: not plain http or https", bad[i]);
        assert_string_equal(err.text, want);
    }
    s.location = NULL;
    s.answer.code = 302;
    assert_int_equal(get(server.url, &r, &b, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "127.0.0.1: a redirect that leads nowhere");
    http_server_end(&server);
}

static void the_token_stays_at_its_host(void **state)
{
    (void)state;
    script here = plain("here");
    script there = plain("there");
    http_server a;
    http_server z;
    char url[128];
    char back[128];
    http_server_start(&a, play, &here);
    http_server_start(&z, play, &there);
    const mdf_http_options opt = {.token = "hf_abc", .token_url = a.url};
    mdf_http_reply r;
    body b = {.len = 0};
    mdf_error err = {0};

    here.location = "/again"; /* the same host: the token goes along */
    here.redirects = 1;
    assert_int_equal(get_with(&opt, a.url, 0, &r, &b, &err), MDF_OK);
    assert_string_equal(here.who[0], "Bearer hf_abc");
    assert_string_equal(here.who[1], "Bearer hf_abc");

    /* To another port and back again: neither gets it. */
    (void)snprintf(url, sizeof url, "%s/x", z.url);
    (void)snprintf(back, sizeof back, "%s/y", a.url);
    here.asked = 0;
    here.location = url;
    here.redirects = 1;
    there.location = back;
    there.redirects = 1;
    assert_int_equal(get_with(&opt, a.url, 0, &r, &b, &err), MDF_OK);
    assert_false(r.final_host);
    assert_int_equal(here.asked, 2);
    assert_int_equal(there.asked, 1);
    assert_string_equal(here.who[0], "Bearer hf_abc");
    assert_string_equal(there.who[0], "");
    assert_string_equal(here.who[1], "");

    there.asked = 0; /* asked straight away */
    assert_int_equal(get_with(&opt, z.url, 0, &r, &b, &err), MDF_OK);
    assert_string_equal(there.who[0], "");
    http_server_end(&a);
    http_server_end(&z);
}

static void tokens_and_addresses_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *token, *url, *text;
    } bad[] = {
        {"a b", "https://h", "the token has a character that no token has"},
        {"a\r\nX: y", "https://h", "the token has a character that no token has"},
        {"", "https://h", "the token is empty, or its host is not a URL"},
        {"a", "h", "the token is empty, or its host is not a URL"},
        {"a", NULL, "the token is empty, or its host is not a URL"},
        {"a", "http://hub.example", "a token would go to hub.example unencrypted"},
        {"a", "http://127.evil.example", "a token would go to 127.evil.example unencrypted"},
        {"a", "http://localhost.example", "a token would go to localhost.example unencrypted"},
    };
    mdf_http *h = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mdf_error err = {0};
        const mdf_http_options opt = {.token = bad[i].token, .token_url = bad[i].url};
        assert_int_equal(mdf_http_open(&h, &opt, &err), MDF_ERR_ARG);
        assert_null(h);
        if (strstr(err.text, bad[i].text) == NULL) {
            fail_msg("'%s', want '%s'", err.text, bad[i].text);
        }
    }
    static const char *const fine[] = {"https://hub.example", "http://localhost:8000",
                                       "http://127.0.0.1", "http://[::1]:80/x"};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        const mdf_http_options opt = {.token = "a", .token_url = fine[i]};
        assert_int_equal(mdf_http_open(&h, &opt, NULL), MDF_OK);
        mdf_http_close(h);
    }
    static const char *const address[] = {"file:///etc/passwd",  "ftp://h/x", "hub", "", "http://",
                                          "https://me:secret@h/"};
    for (size_t i = 0; i < sizeof address / sizeof address[0]; i++) {
        mdf_http_reply r;
        body b = {.len = 0};
        mdf_error err = {0};
        assert_int_equal(get(address[i], &r, &b, &err), MDF_ERR_ARG);
        assert_non_null(strstr(err.text, "is not an http:// or https:// address"));
    }
}

static void origins_are_scheme_host_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } known[] = {
        {"https://h.example", "HTTPS://H.EXAMPLE:443/x?y", true},
        {"http://h.example:80/", "http://h.example", true},
        {"http://h.example", "https://h.example", false},
        {"https://h.example", "https://h.example:444", false},
        {"https://h.example", "https://h.example.org", false},
        {"https://h.example", "https://x.h.example", false},
        {"https://me@h.example", "https://me@h.example", false}, /* an address that is refused */
        {"h.example", "h.example", false},
        {"ftp://h.example", "ftp://h.example", false},
        {"", "", false},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (mdf_http_same_origin(known[i].a, known[i].b) != known[i].same ||
            mdf_http_same_origin(known[i].b, known[i].a) != known[i].same) {
            fail_msg("%s and %s", known[i].a, known[i].b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_and_its_headers),
        cmocka_unit_test(an_empty_body_begins_too_and_an_error_page_does_not),
        cmocka_unit_test(what_is_too_long_or_unwanted_ends),
        cmocka_unit_test(a_part_must_be_the_one_that_was_asked_for),
        cmocka_unit_test(failures_that_may_pass),
        cmocka_unit_test(a_host_that_does_not_exist_can_be_asked_for_again),
        cmocka_unit_test(the_stop_flag_ends_a_silent_transfer),
        cmocka_unit_test(redirects_are_followed_but_not_everywhere),
        cmocka_unit_test(the_token_stays_at_its_host),
        cmocka_unit_test(tokens_and_addresses_that_are_refused),
        cmocka_unit_test(origins_are_scheme_host_and_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
