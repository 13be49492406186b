/* HTTP over libcurl; see http.h. */
#include "hub/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "hub/http_headers.h"

#define MAX_REDIRECTS   8
#define MAX_URL         8192              /* signed URLs of storage hosts are long */
#define MAX_OTHER_BYTES ((size_t)1 << 20) /* of the body of an error page, which nobody reads */
#define MAX_RETRY_AFTER 300
#define DEFAULT_SECONDS 30

/* Scheme, host and port of a URL: who answers. */
typedef struct origin {
    char scheme[8];
    char host[256];
    char port[8];
} origin;

struct mdf_http {
    CURL *curl;
    mdf_http_options opt;
    origin token_origin;
    char *token_header; /* NULL without a token */
    char detail[CURL_ERROR_SIZE];
};

/* One request of a chain of redirects, while it runs. */
typedef struct transfer {
    mdf_http *h;
    const mdf_http_request *request;
    mdf_http_reply *reply;
    mdf_error *err;
    mdf_status status; /* of begin or body */
    bool headers_read;
    bool too_long; /* an error page that was cut */
    uint64_t body_bytes;
    curl_off_t last_bytes; /* seen by the watch on stalls ... */
    double last_seconds;   /* ... at this time */
    bool stalled;
} transfer;

static bool copy_part(CURLU *url, CURLUPart part, char *out, size_t out_bytes)
{
    char *text = NULL;
    bool ok = false;
    if (curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        ok = strlen(text) < out_bytes;
        if (ok) {
            (void)snprintf(out, out_bytes, "%s", text);
        }
        curl_free(text);
    }
    return ok;
}

/* False: not an http or https URL with a host, or one with a user's name in it. */
static bool parse_origin(const char *text, origin *out)
{
    *out = (origin){{0}, {0}, {0}};
    CURLU *url = curl_url();
    const bool ok = url != NULL && strlen(text) < MAX_URL &&
                    curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK &&
                    copy_part(url, CURLUPART_SCHEME, out->scheme, sizeof out->scheme) &&
                    copy_part(url, CURLUPART_HOST, out->host, sizeof out->host) &&
                    copy_part(url, CURLUPART_PORT, out->port, sizeof out->port) &&
                    (strcasecmp(out->scheme, "http") == 0 || strcasecmp(out->scheme, "https") == 0);
    curl_url_cleanup(url);
    return ok;
}

static bool same_origin(const origin *a, const origin *b)
{
    return strcasecmp(a->scheme, b->scheme) == 0 && strcasecmp(a->host, b->host) == 0 &&
           strcmp(a->port, b->port) == 0;
}

bool mdf_http_same_origin(const char *a, const char *b)
{
    origin x;
    origin y;
    return parse_origin(a, &x) && parse_origin(b, &y) && same_origin(&x, &y);
}

static bool is_encrypted(const origin *o)
{
    return strcasecmp(o->scheme, "https") == 0;
}

static bool is_this_machine(const origin *o)
{
    const bool is_ipv4 = o->host[strspn(o->host, "0123456789.")] == '\0';
    return (is_ipv4 && strncmp(o->host, "127.", 4) == 0) || strcasecmp(o->host, "localhost") == 0 ||
           strcmp(o->host, "[::1]") == 0;
}

static mdf_status set_token(mdf_http *h, mdf_error *err)
{
    const char *token = h->opt.token;
    for (const char *p = token; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~') {
            return mdf_fail(err, MDF_ERR_ARG, "the token has a character that no token has");
        }
    }
    if (*token == '\0' || h->opt.token_url == NULL ||
        !parse_origin(h->opt.token_url, &h->token_origin)) {
        return mdf_fail(err, MDF_ERR_ARG, "the token is empty, or its host is not a URL");
    }
    if (!is_encrypted(&h->token_origin) && !is_this_machine(&h->token_origin)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "a token would go to %s unencrypted: give the hub as https://",
                        h->token_origin.host);
    }
    mdf_strbuf text = mdf_strbuf_new(MAX_URL);
    mdf_strbuf_printf(&text, "Authorization: Bearer %s", token);
    h->token_header = text.data;
    return text.failed ? mdf_fail(err, MDF_ERR_LIMIT, "the token is too long") : MDF_OK;
}

mdf_status mdf_http_open(mdf_http **out, const mdf_http_options *opt, mdf_error *err)
{
    *out = NULL;
    mdf_http *h = mdf_alloc(1, sizeof *h);
    if (h == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "no memory for a connection");
    }
    h->opt = *opt;
    mdf_status status = MDF_OK;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        mdf_free(h);
        return mdf_fail(err, MDF_ERR_IO, "libcurl does not start");
    }
    h->curl = curl_easy_init();
    if (h->curl == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "no memory for a connection");
    } else if (opt->token != NULL) {
        status = set_token(h, err);
    }
    if (status != MDF_OK) {
        mdf_http_close(h);
        return status;
    }
    *out = h;
    return MDF_OK;
}

void mdf_http_close(mdf_http *h)
{
    if (h != NULL) {
        curl_easy_cleanup(h->curl);
        mdf_free(h->token_header);
        mdf_free(h);
        curl_global_cleanup();
    }
}

/* Value of a header of the last answer, NULL = none. */
static const char *header(const transfer *t, const char *name)
{
    struct curl_header *found = NULL;
    return curl_easy_header(t->h->curl, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK
               ? found->value
               : NULL;
}

/* A short text of printable characters, or nothing. */
static void keep_word(char *out, size_t out_bytes, const char *value)
{
    size_t n = 0;
    for (; value != NULL && value[n] > ' ' && value[n] <= '~'; n++) {
    }
    if (value != NULL && n > 0 && n < out_bytes && value[n] == '\0') {
        memcpy(out, value, n + 1);
    }
}

/* A link may be relative to the URL of its answer. */
static void keep_next_url(const transfer *t, const char *value)
{
    char target[sizeof t->reply->next_url];
    const char *base = NULL;
    char *text = NULL;
    CURLU *url = curl_url();
    if (url != NULL && mdf_http_link_next(value, strlen(value), target, sizeof target) &&
        curl_easy_getinfo(t->h->curl, CURLINFO_EFFECTIVE_URL, &base) == CURLE_OK && base != NULL &&
        curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_URL, target, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK) {
        if (strlen(text) < sizeof t->reply->next_url) {
            (void)snprintf(t->reply->next_url, sizeof t->reply->next_url, "%s", text);
        }
        curl_free(text);
    }
    curl_url_cleanup(url);
}

static void read_headers(transfer *t)
{
    mdf_http_reply *r = t->reply;
    long code = 0;
    curl_off_t length = -1;
    const char *text = NULL;
    t->headers_read = true;
    (void)curl_easy_getinfo(t->h->curl, CURLINFO_RESPONSE_CODE, &code);
    (void)curl_easy_getinfo(t->h->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    r->code = (int)code;
    r->body_bytes = length < 0 ? -1 : (int64_t)length;
    r->range_total = -1;
    keep_word(r->commit, sizeof r->commit, header(t, "X-Repo-Commit"));
    keep_word(r->reason, sizeof r->reason, header(t, "X-Error-Code"));
    text = header(t, "Retry-After");
    if (text != NULL && text[0] >= '0' && text[0] <= '9') {
        int seconds = 0;
        for (; *text >= '0' && *text <= '9' && seconds <= MAX_RETRY_AFTER; text++) {
            seconds = seconds * 10 + (*text - '0');
        }
        r->retry_seconds = seconds < MAX_RETRY_AFTER ? seconds : MAX_RETRY_AFTER;
    }
    text = header(t, "ETag");
    if (text == NULL || !mdf_http_strong_etag(text, strlen(text), r->etag, sizeof r->etag)) {
        r->etag[0] = '\0';
    }
    text = header(t, "Link");
    if (text != NULL) {
        keep_next_url(t, text);
    }
}

/* Once per transfer, before the first byte of a body that counts. */
static mdf_status begin_body(transfer *t)
{
    mdf_http_reply *r = t->reply;
    const mdf_http_request *q = t->request;
    read_headers(t);
    if (r->code == 206) {
        const char *range = header(t, "Content-Range");
        if (range == NULL ||
            !mdf_http_content_range(range, strlen(range), &r->range_start, &r->range_total) ||
            r->range_start != q->range_start) {
            return mdf_fail(t->err, MDF_ERR_FORMAT,
                            "the server sends another part of the file than it was asked for");
        }
    }
    const bool counts = r->code == 200 || r->code == 206;
    if (counts && r->body_bytes > 0 && (uint64_t)r->body_bytes > q->max_bytes) {
        return mdf_fail(t->err, MDF_ERR_LIMIT, "the server wants to send %lld bytes, %llu at most",
                        (long long)r->body_bytes, (unsigned long long)q->max_bytes);
    }
    return counts && q->begin != NULL ? q->begin(q->user, r, t->err) : MDF_OK;
}

/* libcurl's callback: anything but len ends the transfer. */
static size_t on_body(char *data, size_t size, size_t len, void *user)
{
    transfer *t = user;
    const mdf_http_request *q = t->request;
    len *= size;
    if (!t->headers_read) {
        t->status = begin_body(t);
    }
    if (t->status != MDF_OK) {
        return 0;
    }
    t->body_bytes += len;
    if (t->reply->code != 200 && t->reply->code != 206) {
        t->too_long = t->body_bytes > MAX_OTHER_BYTES;
        return t->too_long ? 0 : len;
    }
    if (t->body_bytes > q->max_bytes) {
        t->status = mdf_fail(t->err, MDF_ERR_LIMIT, "the server sends more than %llu bytes",
                             (unsigned long long)q->max_bytes);
    } else if (q->body != NULL) {
        t->status = q->body(q->user, (const uint8_t *)data, len, t->err);
    }
    return t->status == MDF_OK ? len : 0;
}

/* Called by libcurl about once a second, more often while data comes in. Its own limit of speed
 * looks at an average and hears of a stall late. */
static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    transfer *t = user;
    const mdf_http_options *o = &t->h->opt;
    const double seconds = mdf_clock_seconds();
    (void)total;
    (void)up_total;
    (void)up_now;
    if (now != t->last_bytes) {
        t->last_bytes = now;
        t->last_seconds = seconds;
    }
    t->stalled = seconds - t->last_seconds >=
                 (double)(o->stall_seconds > 0 ? o->stall_seconds : DEFAULT_SECONDS);
    return t->stalled || (o->stop != NULL && *o->stop != 0);
}

static bool may_pass(CURLcode code)
{
    static const CURLcode passing[] = {
        CURLE_COULDNT_RESOLVE_HOST,
        CURLE_COULDNT_RESOLVE_PROXY,
        CURLE_COULDNT_CONNECT,
        CURLE_OPERATION_TIMEDOUT,
        CURLE_PARTIAL_FILE,
        CURLE_RECV_ERROR,
        CURLE_SEND_ERROR,
        CURLE_GOT_NOTHING,
        CURLE_HTTP2,
        CURLE_HTTP2_STREAM,
        CURLE_HTTP3,
        CURLE_SSL_CONNECT_ERROR,
        CURLE_WEIRD_SERVER_REPLY,
    };
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        if (code == passing[i]) {
            return true;
        }
    }
    return false;
}

/* The sentence for a transfer that libcurl did not finish. */
static mdf_status transport_error(transfer *t, CURLcode code, const origin *from)
{
    const char *what = NULL;
    if (t->stalled) {
        code = CURLE_OPERATION_TIMEDOUT;
    }
    t->reply->transient = may_pass(code);
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        return mdf_fail(t->err, MDF_ERR_STOPPED, "%s", mdf_status_text(MDF_ERR_STOPPED));
    }
    if (code == CURLE_OUT_OF_MEMORY) {
        return mdf_fail(t->err, MDF_ERR_NOMEM, "%s: out of memory", from->host);
    }
    if (code == CURLE_COULDNT_RESOLVE_HOST) {
        what = "no such host";
    } else if (code == CURLE_COULDNT_CONNECT) {
        what = "can't connect";
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        what = "no data comes";
    } else if (code == CURLE_PEER_FAILED_VERIFICATION) {
        what = "its certificate is not trusted";
    } else if (code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR ||
               code == CURLE_GOT_NOTHING) {
        what = "the connection was cut";
    } else {
        what = curl_easy_strerror(code);
    }
    return mdf_fail(t->err, MDF_ERR_IO, "%s:%s: %s", from->host, from->port, what);
}

/* Everything that is the same for each request of the chain; false = libcurl has no memory. */
static bool configure(transfer *t)
{
    CURL *c = t->h->curl;
    const mdf_http_options *o = &t->h->opt;
    const long connect = o->connect_seconds > 0 ? o->connect_seconds : DEFAULT_SECONDS;
    curl_easy_reset(c); /* keeps the connections */
    /* Refused while a buffer is left of a failed request: then that one serves. */
    (void)curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L << 10);
    return curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, "mdf/" MDF_VERSION) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, connect) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->h->detail) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_XFERINFODATA, t) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK;
}

static bool add_header(struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*list, text);
    if (longer != NULL) {
        *list = longer;
    }
    return longer != NULL;
}

/* URL, range and headers of one request. */
static bool aim(const transfer *t, const char *url, bool with_token, struct curl_slist **list)
{
    CURL *c = t->h->curl;
    const mdf_http_request *q = t->request;
    bool ok = curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK;
    if (with_token) {
        ok = ok && add_header(list, t->h->token_header);
    }
    if (q->range_start > 0) {
        char text[sizeof q->range_start * 3 + 2];
        (void)snprintf(text, sizeof text, "%llu-", (unsigned long long)q->range_start);
        ok = ok && curl_easy_setopt(c, CURLOPT_RANGE, text) == CURLE_OK;
        if (q->if_range != NULL) {
            char line[sizeof t->reply->etag + 16];
            (void)snprintf(line, sizeof line, "If-Range: %s", q->if_range);
            ok = ok && add_header(list, line);
        }
    }
    return ok && curl_easy_setopt(c, CURLOPT_HTTPHEADER, *list) == CURLE_OK;
}

/* One request without its redirects. */
static mdf_status perform(transfer *t, const char *url, const origin *to, bool with_token)
{
    struct curl_slist *list = NULL;
    t->headers_read = false;
    t->too_long = false;
    t->body_bytes = 0;
    t->last_bytes = 0;
    t->last_seconds = mdf_clock_seconds();
    if (!configure(t) || !aim(t, url, with_token, &list)) {
        curl_slist_free_all(list);
        return mdf_fail(t->err, MDF_ERR_NOMEM, "%s: out of memory", to->host);
    }
    const CURLcode code = curl_easy_perform(t->h->curl);
    (void)curl_easy_setopt(t->h->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(list);
    if (t->status != MDF_OK) {
        return t->status;
    }
    if (code != CURLE_OK && !t->too_long) {
        return transport_error(t, code, to);
    }
    return t->headers_read ? MDF_OK : begin_body(t);
}

static bool is_redirect(int code)
{
    return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

/* The URL that a redirect leads to, into url; where it must not lead is an error. */
static mdf_status follow(transfer *t, char *url, origin *at)
{
    const char *next = NULL;
    origin to;
    (void)curl_easy_getinfo(t->h->curl, CURLINFO_REDIRECT_URL, &next);
    if (next == NULL) {
        return mdf_fail(t->err, MDF_ERR_FORMAT, "%s: a redirect that leads nowhere", at->host);
    }
    if (!parse_origin(next, &to)) {
        return mdf_fail(t->err, MDF_ERR_ARG,
                        "%s: redirect to '%.80s' refused: not plain http or https", at->host, next);
    }
    if (is_encrypted(at) && !is_encrypted(&to)) {
        return mdf_fail(t->err, MDF_ERR_ARG, "%s: redirect to '%s' refused: it is not encrypted",
                        at->host, to.host);
    }
    (void)snprintf(url, MAX_URL, "%s", next);
    *at = to;
    return MDF_OK;
}

mdf_status mdf_http_get(mdf_http *h, const mdf_http_request *request, mdf_http_reply *reply,
                        mdf_error *err)
{
    char url[MAX_URL];
    origin at;
    transfer t = {.h = h, .request = request, .reply = reply, .err = err, .status = MDF_OK};
    *reply = (mdf_http_reply){.body_bytes = -1, .range_total = -1};
    if (!parse_origin(request->url, &at)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "'%.80s' is not an http:// or https:// address without a user's name",
                        request->url);
    }
    const origin first = at;
    bool at_home = true; /* no redirect has led away yet */
    (void)snprintf(url, sizeof url, "%s", request->url);
    for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
        at_home = at_home && same_origin(&at, &first);
        const bool with_token =
            h->token_header != NULL && at_home && same_origin(&at, &h->token_origin);
        MDF_TRY(perform(&t, url, &at, with_token));
        reply->final_host = at_home;
        if (!is_redirect(reply->code)) {
            return MDF_OK;
        }
        MDF_TRY(follow(&t, url, &at));
    }
    return mdf_fail(err, MDF_ERR_FORMAT, "%s: more than %d redirects", first.host, MAX_REDIRECTS);
}
