/* A model hub for tests: a repository in memory, and faults to choose from. */
#ifndef MDF_TESTS_FAKE_HUB_H
#define MDF_TESTS_FAKE_HUB_H

#include "base/sha256.h"
#include "support/http_server.h"

enum { HUB_FILES = 128, HUB_LOG = 64 };

typedef struct hub_file {
    const char *path;
    const uint8_t *data;
    size_t len;
    bool lfs; /* the list has its SHA-256 */
} hub_file;

typedef struct fake_hub {
    http_server server;
    const char *repo;     /* "org/tiny" */
    bool dataset;         /* it is a data set, no model */
    const char *revision; /* as it stands in addresses */
    hub_file file[HUB_FILES];
    int files;

    /* Faults; zero is a hub that works. */
    const char *token;       /* required */
    const char *list;        /* in place of the true list */
    const char *code_reason; /* X-Error-Code with every error */
    int fail_code;           /* answer of the first `fails` requests */
    int fails;               /* -1 = always */
    bool fail_files_only;
    size_t cut;  /* files end after so many bytes ... */
    int cuts;    /* ... so many times, -1 = always */
    bool silent; /* ... and the connection stays */
    bool ignores_range;
    bool no_etag;
    bool wrong_bytes;     /* of files: the first byte is another */
    const char *redirect; /* files are there instead, e.g. "http://127.0.0.1:1234" */
    int page;             /* files a page of the list, 0 = all */
    const char *next;     /* the link to the next page leads there, %s = the true one */
    long lies;            /* added to the true size in the list */
    int pause_ms;
    const char *commit;
    int commits;   /* files after which it becomes another one */
    char etag[64]; /* "" = from the sum */

    /* What was asked: "target|Range|Authorization|If-Range". */
    char log[HUB_LOG][1024];
    int asked;
    char text[65536]; /* the list */
    uint8_t wrong[65536];
} fake_hub;

static inline void hub_sum(const hub_file *f, char hex[MDF_SHA256_HEX + 1])
{
    mdf_sha256 s;
    mdf_sha256_start(&s);
    mdf_sha256_add(&s, f->data, f->len);
    mdf_sha256_hex(&s, hex);
}

static inline const char *hub_kind(const fake_hub *h)
{
    return h->dataset ? "datasets" : "models";
}

static inline void hub_note(fake_hub *h, const http_question *q)
{
    char range[512];
    char who[512];
    char condition[512];
    (void)http_header(q, "Range", range);
    (void)http_header(q, "Authorization", who);
    (void)http_header(q, "If-Range", condition);
    if (h->asked < HUB_LOG) {
        (void)snprintf(h->log[h->asked], sizeof h->log[0], "%.300s|%.200s|%.200s|%.200s", q->target,
                       range, who, condition);
    }
    h->asked++;
}

static inline void hub_add_header(http_answer *a, const char *name, const char *value)
{
    const size_t n = strlen(a->headers);
    (void)snprintf(a->headers + n, sizeof a->headers - n, "%s: %s\r\n", name, value);
}

static inline void hub_list(fake_hub *h, const http_question *q, http_answer *a)
{
    char *out = h->text;
    const size_t room = sizeof h->text;
    int n =
        snprintf(out, room, "[{\"type\":\"directory\",\"oid\":\"0\",\"size\":0,\"path\":\"sub\"}");
    int first = 0;
    const char *cursor = strstr(q->target, "&cursor=");
    if (cursor != NULL) {
        first = atoi(cursor + 8);
    }
    const int last = h->page > 0 && first + h->page < h->files ? first + h->page : h->files;
    for (int i = first; i < last; i++) {
        const hub_file *f = &h->file[i];
        char hex[MDF_SHA256_HEX + 1];
        hub_sum(f, hex);
        n += snprintf(out + n, room - (size_t)n,
                      ",{\"type\":\"file\",\"oid\":\"ab\",\"size\":%ld,\"path\":\"%s\"",
                      (long)f->len + h->lies, f->path);
        if (f->lfs) {
            n += snprintf(out + n, room - (size_t)n,
                          ",\"lfs\":{\"oid\":\"%s\",\"size\":%ld,\"pointerSize\":134}", hex,
                          (long)f->len + h->lies);
        }
        n += snprintf(out + n, room - (size_t)n, "}");
    }
    n += snprintf(out + n, room - (size_t)n, "]");
    if (last < h->files) {
        char url[512];
        char link[1024];
        (void)snprintf(url, sizeof url, "%s/api/%s/%s/tree/%s?recursive=true&cursor=%d",
                       h->server.url, hub_kind(h), h->repo, h->revision, last);
        (void)snprintf(link, sizeof link, "<%s>; rel=\"next\"", h->next != NULL ? h->next : url);
        hub_add_header(a, "Link", link);
    }
    if (h->list != NULL) {
        n = snprintf(out, room, "%s", h->list);
    }
    a->body = (const uint8_t *)out;
    a->len = (size_t)n;
}

static inline void hub_apply_range(const fake_hub *h, const http_question *q, http_answer *a,
                                   const char *etag)
{
    char range[512];
    char condition[512];
    unsigned long long from = 0;
    (void)http_header(q, "If-Range", condition);
    if (h->ignores_range || sscanf(http_header(q, "Range", range), "bytes=%llu-", &from) != 1 ||
        (condition[0] != '\0' && strcmp(condition, etag) != 0)) {
        return;
    }
    if (from >= a->len) {
        a->code = 416;
        a->len = 0;
        return;
    }
    char text[128];
    (void)snprintf(text, sizeof text, "bytes %llu-%zu/%zu", from, a->len - 1, a->len);
    hub_add_header(a, "Content-Range", text);
    a->code = 206;
    a->body += from;
    a->len -= (size_t)from;
}

static inline void hub_send_file(fake_hub *h, const http_question *q, http_answer *a,
                                 const hub_file *f)
{
    char hex[MDF_SHA256_HEX + 1];
    char etag[MDF_SHA256_HEX + 3];
    if (h->redirect != NULL) {
        char where[2048];
        a->code = 302;
        (void)snprintf(where, sizeof where, "%.1000s%.1000s", h->redirect, q->target);
        hub_add_header(a, "Location", where);
        return;
    }
    a->body = f->data;
    a->len = f->len;
    a->pause_ms = h->pause_ms;
    if (h->wrong_bytes && f->len > 0 && f->len <= sizeof h->wrong) {
        memcpy(h->wrong, f->data, f->len);
        h->wrong[0] ^= 1;
        a->body = h->wrong;
    }
    hub_sum(f, hex);
    (void)snprintf(etag, sizeof etag, "\"%s\"", hex);
    const char *tag = h->etag[0] != '\0' ? h->etag : etag;
    if (!h->no_etag) {
        hub_add_header(a, "ETag", tag);
    }
    if (h->commit != NULL) {
        hub_add_header(a, "X-Repo-Commit", h->commits-- > 0 ? "0123456789abcdef" : h->commit);
    }
    hub_apply_range(h, q, a, tag);
    if (h->cuts != 0 && a->len > h->cut) {
        h->cuts -= h->cuts > 0 ? 1 : 0;
        a->sent = h->cut;
        a->silent = h->silent;
    }
}

static inline void hub_answer(void *user, const http_question *q, http_answer *a)
{
    fake_hub *h = user;
    char want[1024];
    char who[512];
    hub_note(h, q);
    const bool is_list = strncmp(q->target, "/api/", 5) == 0;
    if (h->code_reason != NULL) {
        hub_add_header(a, "X-Error-Code", h->code_reason);
    }
    (void)snprintf(want, sizeof want, "Bearer %s", h->token != NULL ? h->token : "");
    if (h->token != NULL && strcmp(http_header(q, "Authorization", who), want) != 0) {
        a->code = 401;
        return;
    }
    if (h->fails != 0 && !(is_list && h->fail_files_only)) {
        h->fails -= h->fails > 0 ? 1 : 0;
        a->code = h->fail_code;
        return;
    }
    (void)snprintf(want, sizeof want, "/api/%s/%s/tree/%s?recursive=true", hub_kind(h), h->repo,
                   h->revision);
    if (strncmp(q->target, want, strlen(want)) == 0) {
        hub_list(h, q, a);
        return;
    }
    const int n = snprintf(want, sizeof want, "/%s%s/resolve/%s/", h->dataset ? "datasets/" : "",
                           h->repo, h->revision);
    if (strncmp(q->target, want, (size_t)n) == 0) {
        for (int i = 0; i < h->files; i++) {
            if (strcmp(q->target + n, h->file[i].path) == 0) {
                hub_send_file(h, q, a, &h->file[i]);
                return;
            }
        }
    }
    a->code = 404;
}

static inline void hub_start(fake_hub *h)
{
    h->repo = "org/tiny";
    h->revision = "main";
    http_server_start(&h->server, hub_answer, h);
}

static inline void hub_add(fake_hub *h, const char *path, const void *data, size_t len, bool lfs)
{
    h->file[h->files++] = (hub_file){path, data, len, lfs};
}

#endif
