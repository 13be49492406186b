/* One HTTP GET at a time, over libcurl: TLS verified, redirects followed by hand, so that each is
 * looked at first, a token that never leaves the host that it is for.
 *
 *     mdf_http *h = NULL;
 *     MDF_TRY(mdf_http_open(&h, &(mdf_http_options){.token = token, .token_url = hub}, err));
 *     status = mdf_http_get(h, &(mdf_http_request){.url = url, .body = on_bytes, .user = &x},
 *                           &reply, err);
 *     mdf_http_close(h);
 */
#ifndef MDF_HUB_HTTP_H
#define MDF_HUB_HTTP_H

#include <signal.h>

#include "base/status.h"

typedef struct mdf_http mdf_http; /* keeps its connections; one thread at a time */

/* Zero is the default everywhere; strings are borrowed until mdf_http_close(). */
typedef struct mdf_http_options {
    const char *token;                 /* Bearer token, printable ASCII without spaces */
    const char *token_url;             /* goes only to this URL's scheme, host and port */
    int connect_seconds;               /* 0 = 30 */
    int stall_seconds;                 /* without a byte for that long: given up; 0 = 30 */
    const volatile sig_atomic_t *stop; /* may be NULL */
} mdf_http_options;

/* What the headers of the last answer say, without its body. */
typedef struct mdf_http_reply {
    int code;             /* 200; 0 = no answer at all */
    bool transient;       /* the failure may pass: another try is worth it */
    bool final_host;      /* the answer comes from the host that was asked, not from a redirect */
    int64_t body_bytes;   /* Content-Length, -1 = not said */
    uint64_t range_start; /* 206: the first byte of the body in the file */
    int64_t range_total;  /* 206: bytes of the whole file, -1 = not said */
    int retry_seconds;    /* Retry-After, 0 = not said */
    char etag[160];       /* strong ones only; "" = none */
    char commit[80];      /* X-Repo-Commit of any answer on the way, "" = none */
    char reason[80];      /* X-Error-Code, "" = none */
    char next_url[2048];  /* Link: <...>; rel="next", as an absolute URL; "" = none */
} mdf_http_reply;

typedef struct mdf_http_request {
    const char *url;      /* http or https */
    uint64_t range_start; /* 0 = the whole file */
    const char *if_range; /* ETag that the rest must belong to; NULL = any */
    uint64_t max_bytes;   /* of a body of 200 or 206: more is MDF_ERR_LIMIT */

    /* For 200 and 206 only. begin may be NULL; an error of either ends the transfer and is
     * returned. */
    mdf_status (*begin)(void *user, const mdf_http_reply *reply, mdf_error *err);
    mdf_status (*body)(void *user, const uint8_t *data, size_t len, mdf_error *err);
    void *user;
} mdf_http_request;

/* Do two URLs have the same scheme, host and port? False when one is no http or https URL. */
bool mdf_http_same_origin(const char *a, const char *b);

/* MDF_ERR_ARG: the token can't be sent like that, or token_url is plain http and not this
 * machine. */
mdf_status mdf_http_open(mdf_http **out, const mdf_http_options *opt, mdf_error *err) MDF_NODISCARD;
void mdf_http_close(mdf_http *h); /* NULL is allowed */

/* MDF_OK: an answer with whatever code came in full. MDF_ERR_IO: it did not; reply->transient says
 * whether to try again. MDF_ERR_STOPPED: the stop flag. MDF_ERR_ARG: a URL or a redirect that is
 * refused. *reply is always filled. */
mdf_status mdf_http_get(mdf_http *h, const mdf_http_request *request, mdf_http_reply *reply,
                        mdf_error *err) MDF_NODISCARD;

#endif
