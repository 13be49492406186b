/* One file of a pull: what is there, the partial file, the transfer with its retries, the sum. */
#include "hub/pull_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/lock.h"

#define NAME_DIGITS 16 /* of the sum, in the partial file's name */

/* A file while it grows. */
typedef struct part {
    mdf_pull_job *job;
    const mdf_hub_file *file;
    char *path;
    char *part_path;
    int fd; /* of part_path */
    uint64_t have;
    mdf_sha256 sum; /* of the first have bytes */
    bool old;       /* they begin with an earlier run's */
    bool changed;   /* the server's file is no longer the one that was begun */
    char etag[sizeof((mdf_http_reply *)0)->etag];
} part;

char *mdf_pull_part_path(const char *path, const mdf_hub_file *f)
{
    mdf_strbuf out = mdf_strbuf_new(1 << 16);
    mdf_strbuf_printf(&out, f->sha256[0] != '\0' ? "%s.%.*s.part" : "%s%.*s.part", path,
                      NAME_DIGITS, f->sha256);
    if (out.failed) {
        mdf_strbuf_free(&out);
    }
    return out.data;
}

static void report(const part *p)
{
    const mdf_pull_job *job = p->job;
    if (job->opt->progress != NULL) {
        job->opt->progress(job->opt->user,
                           &(mdf_pull_progress){.path = p->file->path,
                                                .done_bytes = job->done_bytes + p->have,
                                                .total_bytes = job->result->total_bytes,
                                                .fetched_bytes = job->result->fetched_bytes});
    }
}

/* Sum of the first p->have .. limit bytes of an open file; p->have counts them. */
static mdf_status read_back(part *p, int fd, const char *path, uint64_t limit, mdf_error *err)
{
    const volatile sig_atomic_t *stop = p->job->opt->stop;
    while (p->have < limit) {
        const uint64_t rest = limit - p->have;
        const ssize_t n = pread(fd, p->job->buffer,
                                rest < MDF_PULL_BUFFER_BYTES ? (size_t)rest : MDF_PULL_BUFFER_BYTES,
                                (off_t)p->have);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return mdf_file_fail(err, path, "read");
        }
        if (n == 0) {
            break;
        }
        if (stop != NULL && *stop != 0) {
            return mdf_fail(err, MDF_ERR_STOPPED, "%s", mdf_status_text(MDF_ERR_STOPPED));
        }
        mdf_sha256_add(&p->sum, p->job->buffer, (size_t)n);
        p->have += (uint64_t)n;
        report(p);
    }
    return MDF_OK;
}

static void forget(part *p)
{
    p->have = 0;
    p->old = false;
    p->etag[0] = '\0';
    mdf_sha256_start(&p->sum);
}

static mdf_status empty(part *p, mdf_error *err)
{
    forget(p);
    return ftruncate(p->fd, 0) == 0 ? MDF_OK : mdf_file_fail(err, p->part_path, "empty");
}

static bool sum_is_right(const part *p)
{
    char hex[MDF_SHA256_HEX + 1];
    mdf_sha256_hex(&p->sum, hex);
    return p->file->sha256[0] == '\0' || strcmp(hex, p->file->sha256) == 0;
}

/* Is the whole file there already? */
static mdf_status look(part *p, bool *is_there, mdf_error *err)
{
    struct stat st;
    *is_there = false;
    if (stat(p->path, &st) != 0) {
        return MDF_OK;
    }
    if (!S_ISREG(st.st_mode)) {
        return mdf_fail(err, MDF_ERR_IO, "%s: is in the way: not a regular file", p->path);
    }
    if ((uint64_t)st.st_size != p->file->bytes || p->file->sha256[0] == '\0') {
        return MDF_OK; /* without a sum it is not known to be right */
    }
    const int fd = open(p->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return mdf_file_fail(err, p->path, "open");
    }
    const mdf_status status = read_back(p, fd, p->path, p->file->bytes, err);
    (void)close(fd);
    MDF_TRY(status);
    *is_there = p->have == p->file->bytes && sum_is_right(p);
    if (!*is_there) {
        forget(p);
    }
    return MDF_OK;
}

/* Opens the partial file for this run alone and takes over what can be proved at the end. */
static mdf_status open_part(part *p, mdf_error *err)
{
    struct stat st;
    p->fd = open(p->part_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (p->fd < 0) {
        return mdf_file_fail(err, p->part_path, "create");
    }
    bool taken = false;
    mdf_status status = mdf_lock_file(p->fd, p->part_path, &taken, err);
    if (status == MDF_OK && !taken) {
        status = mdf_fail(err, MDF_ERR_IO, "%s: another mdf pull is writing it", p->part_path);
    }
    if (status != MDF_OK) {
        (void)close(p->fd); /* it may be another one's: must stay */
        p->fd = -1;
        return status;
    }
    if (fstat(p->fd, &st) != 0) {
        return mdf_file_fail(err, p->part_path, "inspect");
    }
    if (p->file->sha256[0] == '\0' || (uint64_t)st.st_size > p->file->bytes) {
        return empty(p, err);
    }
    p->old = st.st_size > 0;
    return read_back(p, p->fd, p->part_path, (uint64_t)st.st_size, err);
}

/* The headers have come: does the body continue what is there? */
static mdf_status on_begin(void *user, const mdf_http_reply *r, mdf_error *err)
{
    part *p = user;
    const int64_t whole = r->code == 206 ? r->range_total : r->body_bytes;
    MDF_TRY(mdf_pull_commit(p->job, r, err));
    if (whole >= 0 && (uint64_t)whole != p->file->bytes) {
        return mdf_fail(err, MDF_ERR_FORMAT, "the server has %lld bytes, the hub's list says %llu",
                        (long long)whole, (unsigned long long)p->file->bytes);
    }
    if (r->code == 206 && p->etag[0] != '\0' && r->etag[0] != '\0' &&
        strcmp(p->etag, r->etag) != 0) {
        p->changed = true;
        return mdf_fail(err, MDF_ERR_FORMAT, "the file changed on the server while it was fetched");
    }
    if (r->code == 200 && p->have > 0) { /* the server knows no ranges, or the file is a new one */
        MDF_TRY(empty(p, err));
    }
    memcpy(p->etag, r->etag, sizeof p->etag);
    return MDF_OK;
}

static mdf_status on_body(void *user, const uint8_t *data, size_t len, mdf_error *err)
{
    part *p = user;
    if (len > p->file->bytes - p->have) {
        return mdf_fail(err, MDF_ERR_LIMIT, "the server sends more than the %llu bytes of the list",
                        (unsigned long long)p->file->bytes);
    }
    for (size_t done = 0; done < len;) {
        const ssize_t n = pwrite(p->fd, data + done, len - done, (off_t)p->have);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return mdf_file_fail(err, p->part_path, "write");
        }
        mdf_sha256_add(&p->sum, data + done, (size_t)n);
        p->have += (uint64_t)n;
        p->job->result->fetched_bytes += (uint64_t)n;
        done += (size_t)n;
    }
    report(p);
    return MDF_OK;
}

/* One request. *again: it failed, and another one may not. */
static mdf_status try_once(part *p, const char *url, mdf_http_reply *reply, bool *again,
                           mdf_error *err)
{
    char etag[sizeof p->etag]; /* on_begin changes the one in p */
    memcpy(etag, p->etag, sizeof etag);
    const mdf_http_request request = {.url = url,
                                      .range_start = p->have,
                                      .if_range = etag[0] != '\0' ? etag : NULL,
                                      .max_bytes = p->file->bytes,
                                      .begin = on_begin,
                                      .body = on_body,
                                      .user = p};
    p->changed = false;
    const mdf_status status = mdf_http_get(p->job->http, &request, reply, err);
    *again = status != MDF_OK && (reply->transient || p->changed);
    if (p->changed) {
        const mdf_status emptied = empty(p, err);
        return emptied != MDF_OK ? emptied : status;
    }
    if (status != MDF_OK) {
        return status;
    }
    if (reply->code == 200 || reply->code == 206) {
        *again = p->have < p->file->bytes;
        return *again ? mdf_fail(err, MDF_ERR_IO, "the server stopped after %llu of %llu bytes",
                                 (unsigned long long)p->have, (unsigned long long)p->file->bytes)
                      : MDF_OK;
    }
    *again = mdf_pull_code_may_pass(reply->code);
    if (reply->code == 416 && p->have > 0) { /* no such range: it is another file */
        *again = true;
        MDF_TRY(empty(p, err));
    }
    return mdf_pull_refused(p->job, true, reply, err);
}

/* Requests until the partial file is as long as it must be. */
static mdf_status fetch_rest(part *p, const char *url, mdf_error *err)
{
    int tries = 0;
    uint64_t most = p->have; /* a server that begins anew each time brings nothing */
    while (p->have < p->file->bytes) {
        mdf_http_reply reply;
        bool again = false;
        const mdf_status status = try_once(p, url, &reply, &again, err);
        if (status != MDF_OK && !again) {
            return status;
        }
        if (status != MDF_OK) {
            tries = p->have > most ? 0 : tries;
            most = p->have > most ? p->have : most;
            MDF_TRY(mdf_pull_wait(p->job, &tries, &reply, err));
        }
    }
    return MDF_OK;
}

/* Fetches and checks. Bytes of an earlier run that turn out wrong are fetched anew, once. */
static mdf_status fetch(part *p, const char *url, mdf_pull_outcome *outcome, mdf_error *err)
{
    MDF_TRY(fetch_rest(p, url, err));
    if (!sum_is_right(p) && p->old) {
        MDF_TRY(empty(p, err));
        MDF_TRY(fetch_rest(p, url, err));
    }
    if (!sum_is_right(p)) {
        char hex[MDF_SHA256_HEX + 1];
        mdf_sha256_hex(&p->sum, hex);
        forget(p);
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "its SHA-256 is %s, the hub's list says %s; the bytes were thrown away",
                        hex, p->file->sha256);
    }
    MDF_TRY(mdf_file_publish(p->fd, p->part_path, p->path, err));
    *outcome = p->old ? MDF_PULL_RESUMED : MDF_PULL_FETCHED;
    return MDF_OK;
}

/* After a failure: a partial file stays when a later run can go on with it. */
static void keep_or_remove(const part *p)
{
    const mdf_pull_options *o = p->job->opt;
    if (p->file->sha256[0] == '\0' || p->have == 0) {
        (void)unlink(p->part_path);
    } else if (o->note != NULL) {
        char text[1024];
        (void)snprintf(
            text, sizeof text, "%s keeps %llu of %llu bytes; the same command goes on from there",
            p->part_path, (unsigned long long)p->have, (unsigned long long)p->file->bytes);
        o->note(o->user, text);
    }
}

static mdf_status make_parent(const char *path, mdf_error *err)
{
    char *copy = mdf_strdup(path);
    if (copy == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    }
    const mdf_status status = mdf_make_dirs(dirname(copy), err);
    mdf_free(copy);
    return status;
}

static mdf_status pull_part(part *p, const char *url, mdf_pull_outcome *outcome, mdf_error *err)
{
    bool is_there = false;
    MDF_TRY(look(p, &is_there, err));
    if (is_there) {
        *outcome = MDF_PULL_KEPT;
        return MDF_OK;
    }
    MDF_TRY(make_parent(p->path, err));
    mdf_status status = open_part(p, err);
    if (status == MDF_OK) {
        status = fetch(p, url, outcome, err);
    }
    if (p->fd >= 0) {
        if (status != MDF_OK) {
            keep_or_remove(p);
        }
        (void)close(p->fd);
    }
    return status;
}

mdf_status mdf_pull_file(mdf_pull_job *job, const mdf_hub_file *f, mdf_pull_outcome *outcome,
                         mdf_error *err)
{
    part p = {.job = job, .file = f, .fd = -1};
    mdf_strbuf url = mdf_strbuf_new(8192);
    forget(&p);
    mdf_status status = mdf_hub_file_url(&url, &job->from, f->path, err);
    p.path = mdf_path_join(job->opt->out_dir, f->path);
    p.part_path = p.path == NULL ? NULL : mdf_pull_part_path(p.path, f);
    if (status == MDF_OK && p.part_path == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", f->path);
    }
    if (status == MDF_OK) {
        status = pull_part(&p, url.data, outcome, err);
    }
    mdf_free(p.path);
    mdf_free(p.part_path);
    mdf_strbuf_free(&url);
    return status;
}
