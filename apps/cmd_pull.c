/* mdf pull: a model repository of a hub becomes a folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/status.h"
#include "hub/pull.h"
#include "progress.h"

typedef struct pull_flags {
    const char *hub;
    const char *revision;
    const char *out;
    const char *token_file;
    arg_list include;
    arg_list exclude;
} pull_flags;

static const arg_option options[] = {
    {.name = "out",
     .letter = 'o',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(pull_flags, out),
     .metavar = "DIR",
     .help = "folder to write, made when it is not there"},
    {.name = "hub",
     .kind = ARG_STRING,
     .offset = offsetof(pull_flags, hub),
     .metavar = "URL",
     .help = "address of the hub; without the flag the variable MDF_HUB"},
    {.name = "revision",
     .letter = 'r',
     .kind = ARG_STRING,
     .offset = offsetof(pull_flags, revision),
     .metavar = "NAME",
     .fallback = "main",
     .help = "branch, tag or commit"},
    {.name = "include",
     .letter = 'i',
     .kind = ARG_LIST,
     .offset = offsetof(pull_flags, include),
     .metavar = "GLOB",
     .help = "only files whose path matches, '*' spans folders"},
    {.name = "exclude",
     .letter = 'x',
     .kind = ARG_LIST,
     .offset = offsetof(pull_flags, exclude),
     .metavar = "GLOB",
     .help = "no files whose path matches"},
    {.name = "token-file",
     .kind = ARG_STRING,
     .offset = offsetof(pull_flags, token_file),
     .metavar = "FILE",
     .help = "file with the access token; without the flag the variable MDF_TOKEN"},
};

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The token without the white space around it; *token = NULL: none is given. Caller frees. */
static mdf_status read_token(const pull_flags *f, char **token, mdf_error *err)
{
    static const char space[] = " \t\r\n";
    const char *variable = environment("MDF_TOKEN");
    uint8_t *text = NULL;
    size_t len = 0;
    *token = NULL;
    if (f->token_file != NULL) {
        MDF_TRY(mdf_file_read(f->token_file, MDF_MAX_SECRET_BYTES, &text, &len, err));
    } else if (variable == NULL) {
        return MDF_OK;
    }
    const char *start = text != NULL ? (const char *)text : variable;
    start += strspn(start, space);
    size_t n = strlen(start);
    while (n > 0 && strchr(space, start[n - 1]) != NULL) {
        n--;
    }
    mdf_status status = MDF_OK;
    if (n == 0) {
        status = mdf_fail(err, MDF_ERR_FORMAT, "%s: there is no token in it",
                          f->token_file != NULL ? f->token_file : "MDF_TOKEN");
    } else {
        *token = mdf_strndup(start, n);
        status = *token != NULL ? MDF_OK : mdf_fail(err, MDF_ERR_NOMEM, "no memory for the token");
    }
    mdf_free(text);
    return status;
}

/* What the callbacks need. */
typedef struct pull_watch {
    const app *a;
    app_progress bar;
} pull_watch;

static void on_progress(void *user, const mdf_pull_progress *p)
{
    pull_watch *w = user;
    app_progress_bytes(&w->bar, p->done_bytes, p->total_bytes, p->fetched_bytes);
}

static void on_note(void *user, const char *text)
{
    pull_watch *w = user;
    app_progress_finish(&w->bar);
    app_say(w->a, "%s", text);
}

static json_t *describe_file(const mdf_hub_file *f, mdf_pull_outcome outcome)
{
    static const char *const word[] = {"waiting", "kept", "fetched", "resumed"};
    json_t *sum = f->sha256[0] != '\0' ? json_string(f->sha256) : json_null();
    return json_pack("{s:s, s:I, s:o, s:s}", "path", f->path, "bytes", (json_int_t)f->bytes,
                     "sha256", sum, "outcome", word[outcome]);
}

static json_t *describe(const app *a, const pull_flags *f, const mdf_pull_result *r, double seconds)
{
    json_t *files = json_array();
    for (size_t i = 0; files != NULL && i < r->list.count; i++) {
        if (json_array_append_new(files, describe_file(&r->list.file[i], r->outcome[i])) != 0) {
            json_decref(files);
            files = NULL;
        }
    }
    json_t *commit = r->commit[0] != '\0' ? json_string(r->commit) : json_null();
    if (files == NULL) {
        json_decref(commit);
        return NULL;
    }
    return json_pack("{s:o, s:s, s:s, s:o, s:I, s:I, s:f, s:o}", "dir", app_json_string(f->out),
                     "repository", a->operands.item[0], "revision", f->revision, "commit", commit,
                     "bytes", (json_int_t)r->total_bytes, "bytes_fetched",
                     (json_int_t)r->fetched_bytes, "seconds", seconds, "files", files);
}

static mdf_status print_result(const app *a, const pull_flags *f, const mdf_pull_result *r,
                               double seconds, mdf_error *err)
{
    char all[32];
    char fetched[32];
    size_t kept = 0;
    if (a->json) {
        return app_print_json(describe(a, f, r, seconds), err);
    }
    for (size_t i = 0; i < r->list.count; i++) {
        kept += r->outcome[i] == MDF_PULL_KEPT ? 1 : 0;
    }
    app_progress_size(r->total_bytes, all, sizeof all);
    app_progress_size(r->fetched_bytes, fetched, sizeof fetched);
    (void)printf("%s: %zu files, %s; %zu were there, %s fetched\n", f->out, r->list.count, all,
                 kept, fetched);
    return MDF_OK;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const pull_flags *f = flags;
    const char *hub = f->hub != NULL ? f->hub : environment("MDF_HUB");
    char *token = NULL;
    if (hub == NULL) {
        return app_usage(a, err, "say which hub: --hub URL, or the variable MDF_HUB");
    }
    MDF_TRY(read_token(f, &token, err));
    pull_watch watch = {.a = a};
    mdf_pull_result result;
    const double started = mdf_clock_seconds();
    const mdf_pull_options opt = {.hub = hub,
                                  .repo = a->operands.item[0],
                                  .revision = f->revision,
                                  .token = token,
                                  .out_dir = f->out,
                                  .include = f->include.item,
                                  .include_count = f->include.count,
                                  .exclude = f->exclude.item,
                                  .exclude_count = f->exclude.count,
                                  .stop = a->stop,
                                  .progress = on_progress,
                                  .note = on_note,
                                  .user = &watch};
    app_progress_start(&watch.bar, "pull", a->quiet);
    mdf_status status = mdf_pull(&result, &opt, err);
    app_progress_finish(&watch.bar);
    if (status == MDF_OK) {
        status = print_result(a, f, &result, mdf_clock_seconds() - started, err);
    }
    mdf_pull_result_free(&result);
    mdf_free(token);
    return status;
}

const app_command app_pull = {
    .name = "pull",
    .summary = "fetch a model repository from a hub",
    .description =
        "Fetches the files of a repository to a folder, from a hub that serves them in the manner "
        "of\n"
        "Hugging Face. What is there with the right SHA-256 is left alone; a transfer that was cut "
        "or\n"
        "stopped goes on where it ended when the command is given again. A file appears under its\n"
        "name only when it is whole and its sum is the one in the hub's list; until then it ends "
        "in\n"
        "'.part'. Certificates are verified. The token is sent to the hub alone: not to where it\n"
        "redirects to, and not unencrypted except to this machine.",
    .example = "  export MDF_HUB=https://hub.example MDF_TOKEN=...\n"
               "  mdf pull meta-llama/Llama-3.2-11B-Vision-Instruct --exclude 'original/*' "
               "--out llama\n"
               "  mdf pull someone/something --revision v1.0 --include '*.json' --out settings",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(pull_flags),
    .operand = {"OWNER/NAME", 1, 1, "the repository"},
    .run = run,
};
