/* What listing and fetching share: refusals in words, the wait before another try, the commit. */
#include "hub/pull_job.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ATTEMPTS     6
#define RETRY_MS     1000
#define MAX_DELAY_MS 60000 /* between two tries */
#define SLICE_MS     100   /* how soon a wait hears the stop flag */

bool mdf_pull_code_may_pass(int code)
{
    return code == 408 || code == 429 || code == 500 || code == 502 || code == 503 || code == 504;
}

static const char *file_refused(const mdf_pull_job *job, const mdf_http_reply *r)
{
    switch (r->code) {
    case 401:
        return job->opt->token == NULL ? "the hub asks who you are (401); give a token with "
                                         "--token-file, MDF_TOKEN or HF_TOKEN"
                                       : "the hub does not accept the token (401)";
    case 403:
        return job->opt->token == NULL ? "forbidden (403); it may need a token"
                                       : "forbidden (403): the token may not read it";
    case 404:
        return "is in the hub's list but not there (404)";
    default:
        return NULL;
    }
}

static const char *list_refused(const mdf_pull_job *job, const mdf_http_reply *r)
{
    switch (r->code) {
    case 401:
        return job->opt->token == NULL
                   ? "the hub asks who you are (401): the repository is private, gated or not "
                     "there; give a token with --token-file, MDF_TOKEN or HF_TOKEN"
                   : "the hub does not accept the token (401)";
    case 404:
        return strcmp(r->reason, "RevisionNotFound") == 0
                   ? "the repository has no such revision (404)"
                   : "the hub has no such repository, or does not show it without a token (404)";
    default:
        return file_refused(job, r);
    }
}

mdf_status mdf_pull_refused(const mdf_pull_job *job, bool is_file, const mdf_http_reply *r,
                            mdf_error *err)
{
    const char *what = is_file ? file_refused(job, r) : list_refused(job, r);
    if (r->code == 403 && strcmp(r->reason, "GatedRepo") == 0) {
        what = "the repository is gated (403): ask for access on its page at the hub, with the "
               "account of the token";
    }
    if (what == NULL) {
        return mdf_fail(err, MDF_ERR_IO, "the server answers with %d%s", r->code,
                        r->code == 429 ? ", too many requests" : "");
    }
    return mdf_fail(err, MDF_ERR_IO, "%s", what);
}

static bool is_stopped(const mdf_pull_options *o)
{
    return o->stop != NULL && *o->stop != 0;
}

static mdf_status wait_ms(const mdf_pull_options *o, int64_t ms, mdf_error *err)
{
    for (int64_t left = ms; left > 0 && !is_stopped(o); left -= SLICE_MS) {
        const long slice = (long)(left < SLICE_MS ? left : SLICE_MS);
        (void)nanosleep(&(struct timespec){.tv_nsec = slice * 1000000L}, NULL);
    }
    return is_stopped(o) ? mdf_fail(err, MDF_ERR_STOPPED, "%s", mdf_status_text(MDF_ERR_STOPPED))
                         : MDF_OK;
}

mdf_status mdf_pull_wait(const mdf_pull_job *job, int *tries, const mdf_http_reply *reply,
                         mdf_error *err)
{
    const mdf_pull_options *o = job->opt;
    const int attempts = o->attempts > 0 ? o->attempts : ATTEMPTS;
    int64_t ms = o->retry_ms > 0 ? o->retry_ms : RETRY_MS;
    (*tries)++;
    if (*tries >= attempts) {
        char text[sizeof err->text];
        memcpy(text, err->text, sizeof text);
        return mdf_fail(err, err->code, "%.400s; given up after %d tries", text, *tries);
    }
    for (int i = 1; i < *tries && ms < MAX_DELAY_MS; i++) {
        ms *= 2;
    }
    ms = ms < MAX_DELAY_MS ? ms : MAX_DELAY_MS;
    ms = (int64_t)reply->retry_seconds * 1000 > ms ? (int64_t)reply->retry_seconds * 1000 : ms;
    if (o->note != NULL) {
        char text[sizeof err->text + 64];
        (void)snprintf(text, sizeof text, "%s; next try in %.1f s", err->text, (double)ms / 1000);
        o->note(o->user, text);
    }
    return wait_ms(o, ms, err);
}

mdf_status mdf_pull_commit(mdf_pull_job *job, const mdf_http_reply *reply, mdf_error *err)
{
    mdf_pull_result *r = job->result;
    if (reply->commit[0] == '\0') {
        return MDF_OK;
    }
    if (r->commit[0] == '\0') {
        memcpy(r->commit, reply->commit, sizeof r->commit);
    }
    return strcmp(r->commit, reply->commit) == 0
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_FORMAT,
                          "revision '%s' moved from %.12s to %.12s meanwhile: run it again",
                          job->from.revision, r->commit, reply->commit);
}
