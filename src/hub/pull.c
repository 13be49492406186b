/* Fetching a repository: the list, the choice, room on the disk, then file by file. */
#include "hub/pull.h"

#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "hub/pull_file.h"

#define MAX_PAGES 1000 /* of a list */

static mdf_status on_page(void *user, const uint8_t *data, size_t len, mdf_error *err)
{
    mdf_strbuf *page = user;
    mdf_strbuf_add(page, data, len);
    return page->failed ? mdf_fail(err, MDF_ERR_NOMEM, "the hub's list: out of memory") : MDF_OK;
}

/* One page, with retries; its reply names the next. */
static mdf_status fetch_page(const mdf_pull_job *job, const char *url, mdf_strbuf *page,
                             mdf_http_reply *reply, mdf_error *err)
{
    int tries = 0;
    for (;;) {
        const mdf_http_request request = {
            .url = url, .max_bytes = MDF_MAX_LIST_BYTES, .body = on_page, .user = page};
        mdf_strbuf_clear(page);
        mdf_status status = mdf_http_get(job->http, &request, reply, err);
        if (status == MDF_OK && reply->code == 200) {
            return MDF_OK;
        }
        bool again = reply->transient;
        if (status == MDF_OK) {
            again = mdf_pull_code_may_pass(reply->code);
            status = mdf_pull_refused(job, false, reply, err);
        }
        if (!again) {
            return status;
        }
        MDF_TRY(mdf_pull_wait(job, &tries, reply, err));
    }
}

/* All pages. A next page must be on the same hub: the list decides what is written. */
static mdf_status fetch_list(mdf_pull_job *job, mdf_error *err)
{
    mdf_strbuf url = mdf_strbuf_new(8192);
    mdf_strbuf page = mdf_strbuf_new(MDF_MAX_LIST_BYTES);
    mdf_status status = mdf_hub_list_url(&url, &job->from, err);
    const char *query = url.data == NULL ? NULL : strchr(url.data, '?');
    const size_t root = query == NULL ? 0 : (size_t)(query - url.data);
    for (int pages = 0; status == MDF_OK; pages++) {
        mdf_http_reply reply;
        status = fetch_page(job, url.data, &page, &reply, err);
        if (status == MDF_OK) {
            status =
                mdf_hub_list_add(&job->result->list, (const uint8_t *)page.data, page.len, err);
        }
        if (status != MDF_OK || reply.next_url[0] == '\0') {
            break;
        }
        if (pages == MAX_PAGES || strncmp(reply.next_url, url.data, root) != 0 ||
            reply.next_url[root] != '?') {
            status = mdf_fail(err, MDF_ERR_FORMAT,
                              "the hub's list goes on at another address, or never ends");
        }
        mdf_strbuf_clear(&url);
        mdf_strbuf_puts(&url, reply.next_url);
    }
    mdf_strbuf_free(&url);
    mdf_strbuf_free(&page);
    MDF_TRY(status);
    return mdf_hub_list_finish(&job->result->list, err);
}

static bool matches(const char *path, const char *const *glob, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fnmatch(glob[i], path, 0) == 0) { /* "*" spans folders */
            return true;
        }
    }
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text);
    const size_t m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Leaves only the chosen files in the list. */
static mdf_status choose(mdf_pull_job *job, mdf_error *err)
{
    const mdf_pull_options *o = job->opt;
    mdf_hub_list *l = &job->result->list;
    const size_t all = l->count;
    size_t kept = 0;
    for (size_t i = 0; i < all; i++) {
        const mdf_hub_file f = l->file[i];
        if ((o->include_count > 0 && !matches(f.path, o->include, o->include_count)) ||
            matches(f.path, o->exclude, o->exclude_count)) {
            continue;
        }
        if (ends_with(f.path, ".part")) {
            return mdf_fail(err, MDF_ERR_FORMAT,
                            "%s: such names are for partial files; leave it out with --exclude",
                            f.path);
        }
        job->result->total_bytes += f.bytes; /* 100,000 times 2 TiB is below 2^58 */
        l->file[kept++] = f;
    }
    l->count = kept;
    if (kept == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: none of its %zu files is chosen", o->from.name, all);
    }
    job->result->outcome = mdf_alloc(kept, sizeof *job->result->outcome);
    return job->result->outcome != NULL
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", o->from.name);
}

/* Bytes that are still to be written for a file. */
static uint64_t missing_bytes(const char *dir, const mdf_hub_file *f)
{
    struct stat st;
    uint64_t missing = f->bytes;
    char *path = mdf_path_join(dir, f->path);
    char *part = path == NULL ? NULL : mdf_pull_part_path(path, f);
    if (path != NULL && stat(path, &st) == 0 && (uint64_t)st.st_size == f->bytes) {
        missing = 0;
    } else if (part != NULL && stat(part, &st) == 0 && (uint64_t)st.st_size <= f->bytes) {
        missing = f->bytes - (uint64_t)st.st_size;
    }
    mdf_free(path);
    mdf_free(part);
    return missing;
}

static mdf_status check_room(const mdf_pull_job *job, mdf_error *err)
{
    const mdf_hub_list *l = &job->result->list;
    struct statvfs fs;
    uint64_t need = 0;
    for (size_t i = 0; i < l->count; i++) {
        need += missing_bytes(job->opt->out_dir, &l->file[i]);
    }
    if (statvfs(job->opt->out_dir, &fs) != 0) {
        return mdf_file_fail(err, job->opt->out_dir, "inspect");
    }
    const uint64_t block = fs.f_frsize;
    if (need / (block > 0 ? block : 1) >= fs.f_bavail && need > 0) {
        return mdf_fail(err, MDF_ERR_IO, "%s: %.2f GB are still to fetch, %.2f GB are free",
                        job->opt->out_dir, (double)need * 1e-9,
                        (double)fs.f_bavail * (double)block * 1e-9);
    }
    return MDF_OK;
}

/* Sentences on files of this machine start with their path, those on the hub's with neither. */
static bool names_the_file(const mdf_pull_job *job, const mdf_error *err)
{
    const size_t n = strlen(job->opt->out_dir);
    return strncmp(err->text, job->opt->out_dir, n) == 0 &&
           (err->text[n] == '/' || (n > 0 && err->text[n - 1] == '/'));
}

static mdf_status pull_files(mdf_pull_job *job, mdf_error *err)
{
    mdf_pull_result *r = job->result;
    MDF_TRY(choose(job, err));
    MDF_TRY(mdf_make_dirs(job->opt->out_dir, err));
    MDF_TRY(check_room(job, err));
    for (size_t i = 0; i < r->list.count; i++) {
        const mdf_hub_file *f = &r->list.file[i];
        const mdf_status status = mdf_pull_file(job, f, &r->outcome[i], err);
        if (status != MDF_OK) {
            return names_the_file(job, err) ? status : mdf_fail_prefix(err, status, f->path);
        }
        job->done_bytes += f->bytes;
    }
    return MDF_OK;
}

mdf_status mdf_pull(mdf_pull_result *out, const mdf_pull_options *opt, mdf_error *err)
{
    mdf_error own = {0}; /* sentences grow on their way, also when nobody reads them */
    mdf_error *e = err != NULL ? err : &own;
    *out = (mdf_pull_result){0};
    mdf_pull_job job = {.opt = opt, .result = out, .from = opt->from};
    job.from.revision = opt->from.revision != NULL ? opt->from.revision : "main";
    const mdf_http_options http = {.token = opt->token,
                                   .token_url = opt->from.hub,
                                   .stall_seconds = opt->stall_seconds,
                                   .stop = opt->stop};
    MDF_TRY(mdf_hub_list_init(&out->list, e));
    job.buffer = mdf_alloc_raw(MDF_PULL_BUFFER_BYTES);
    mdf_status status = job.buffer != NULL
                            ? mdf_http_open(&job.http, &http, e)
                            : mdf_fail(e, MDF_ERR_NOMEM, "%s: out of memory", opt->from.name);
    if (status == MDF_OK) {
        status = fetch_list(&job, e);
        status = status == MDF_OK ? status : mdf_fail_prefix(e, status, opt->from.name);
    }
    if (status == MDF_OK) {
        status = pull_files(&job, e);
    }
    mdf_http_close(job.http);
    mdf_free(job.buffer);
    return status;
}

void mdf_pull_result_free(mdf_pull_result *r)
{
    mdf_hub_list_free(&r->list);
    mdf_free(r->outcome);
    *r = (mdf_pull_result){0};
}
