/* mdf pull: a repository of a hub, model or data set, becomes a folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/status.h"
#include "hub/pull.h"
#include "hub/pull_source.h"
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
     .help = "hub of an ADDRESS without one; else that of MDF_HUB or HF_ENDPOINT"},
    {.name = "revision",
     .letter = 'r',
     .kind = ARG_STRING,
     .offset = offsetof(pull_flags, revision),
     .metavar = "NAME",
     .help = "branch, tag or commit; else that of ADDRESS, or main"},
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
     .help = "file with the access token; else MDF_TOKEN or HF_TOKEN"},
};

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The token without the white space around it; *token = NULL: none is given. Caller frees. */
static mdf_status copy_token(const pull_flags *f, const mdf_pull_source *source, char **token,
                             mdf_error *err)
{
    static const char space[] = " \t\r\n";
    *token = NULL;
    if (source->token == NULL) {
        return MDF_OK;
    }
    const char *start = source->token + strspn(source->token, space);
    size_t n = strlen(start);
    while (n > 0 && strchr(space, start[n - 1]) != NULL) {
        n--;
    }
    if (n == 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: there is no token in it",
                        f->token_file != NULL ? f->token_file : source->token_by);
    }
    *token = mdf_strndup(start, n);
    return *token != NULL ? MDF_OK : mdf_fail(err, MDF_ERR_NOMEM, "no memory for the token");
}

/* Hugging Face's switch, on when its value is one of these. */
static bool is_offline(void)
{
    static const char *const on[] = {"1", "on", "yes", "true"};
    const char *value = environment("HF_HUB_OFFLINE");
    for (size_t i = 0; value != NULL && i < APP_COUNT(on); i++) {
        if (strcasecmp(value, on[i]) == 0) {
            return true;
        }
    }
    return false;
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

static json_t *describe(const mdf_pull_options *o, const mdf_pull_result *r, double seconds)
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
    return json_pack("{s:o, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:f, s:o}", "dir",
                     app_json_string(o->out_dir), "hub", o->from.hub, "kind",
                     o->from.kind == MDF_HUB_DATASET ? "dataset" : "model", "repository",
                     o->from.name, "revision", o->from.revision, "commit", commit, "bytes",
                     (json_int_t)r->total_bytes, "bytes_fetched", (json_int_t)r->fetched_bytes,
                     "seconds", seconds, "files", files);
}

static mdf_status print_result(const app *a, const mdf_pull_options *o, const mdf_pull_result *r,
                               double seconds, mdf_error *err)
{
    char all[32];
    char fetched[32];
    size_t kept = 0;
    if (a->json) {
        return app_print_json(describe(o, r, seconds), err);
    }
    for (size_t i = 0; i < r->list.count; i++) {
        kept += r->outcome[i] == MDF_PULL_KEPT ? 1 : 0;
    }
    app_progress_size(r->total_bytes, all, sizeof all);
    app_progress_size(r->fetched_bytes, fetched, sizeof fetched);
    (void)printf("%s: %zu files, %s; %zu were there, %s fetched\n", o->out_dir, r->list.count, all,
                 kept, fetched);
    return MDF_OK;
}

/* Says what is fetched from where, and whose token goes there; never the token. */
static void say_source(const app *a, const mdf_pull_source *s)
{
    app_say(a, "%s%s, revision %s, of %s (%s)%s%s",
            s->at.kind == MDF_HUB_DATASET ? "datasets/" : "", s->at.name, s->at.revision, s->at.hub,
            s->hub_by, s->token == NULL ? "" : ", with the token of ",
            s->token == NULL ? "" : s->token_by);
    if (s->other_token != NULL) {
        app_say(a, "the token of %s stays here: it belongs to the hub of %s", s->other_token,
                s->other_token_to);
    }
}

/* Cases of a data set are often packed: the fetch is complete, but no command goes on with it. */
static void say_unread(const app *a, const mdf_hub_list *l)
{
    static const char *const packed[] = {".parquet", ".arrow", ".tar", ".tar.gz", ".tgz", ".zip"};
    for (size_t k = 0; k < APP_COUNT(packed); k++) {
        const size_t n = strlen(packed[k]);
        size_t count = 0;
        for (size_t i = 0; i < l->count; i++) {
            const size_t len = strlen(l->file[i].path);
            count += len > n && strcasecmp(l->file[i].path + len - n, packed[k]) == 0 ? 1 : 0;
        }
        if (count > 0) {
            app_say(a,
                    "mdf does not read %s: %zu of the %zu files; a data set is a folder of "
                    "pictures with a metadata.csv",
                    packed[k], count, l->count);
        }
    }
}

static mdf_status fetch(const app *a, const pull_flags *f, const mdf_pull_source *source,
                        const char *token, mdf_error *err)
{
    pull_watch watch = {.a = a};
    mdf_pull_result result;
    const double started = mdf_clock_seconds();
    const mdf_pull_options opt = {.from = {.hub = source->at.hub,
                                           .kind = source->at.kind,
                                           .name = source->at.name,
                                           .revision = source->at.revision},
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
        if (opt.from.kind == MDF_HUB_DATASET) {
            say_unread(a, &result.list);
        }
        status = print_result(a, &opt, &result, mdf_clock_seconds() - started, err);
    }
    mdf_pull_result_free(&result);
    return status;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const pull_flags *f = flags;
    mdf_pull_source source;
    uint8_t *text = NULL; /* of the token's file; ends with a NUL */
    size_t len = 0;
    char *token = NULL;
    if (is_offline()) {
        return mdf_fail(err, MDF_ERR_ARG, "HF_HUB_OFFLINE is set: nothing is fetched");
    }
    if (f->token_file != NULL) {
        MDF_TRY(mdf_file_read(f->token_file, MDF_MAX_SECRET_BYTES, &text, &len, err));
    }
    const mdf_pull_given given = {.address = a->operands.item[0],
                                  .hub = f->hub,
                                  .revision = f->revision,
                                  .token = (const char *)text,
                                  .mdf_hub = environment("MDF_HUB"),
                                  .mdf_token = environment("MDF_TOKEN"),
                                  .hf_endpoint = environment("HF_ENDPOINT"),
                                  .hf_token = environment("HF_TOKEN")};
    mdf_status status = mdf_pull_source_choose(&source, &given, err);
    a->wrong_usage = status == MDF_ERR_ARG;
    if (status == MDF_OK) {
        status = copy_token(f, &source, &token, err);
    }
    mdf_free(text);
    if (status == MDF_OK) {
        say_source(a, &source);
        status = fetch(a, f, &source, token, err);
    }
    mdf_free(token);
    return status;
}

const app_command app_pull = {
    .name = "pull",
    .summary = "fetch a model or data set from a hub",
    .description =
        "Fetches the files of a repository to a folder, from a hub that serves them in the manner "
        "of\n"
        "Hugging Face. What is there with the right SHA-256 is left alone; a transfer that was cut "
        "or\n"
        "stopped goes on where it ended when the command is given again. A file appears under its\n"
        "name only when it is whole and its sum is the one in the hub's list; until then it ends "
        "in\n"
        "'.part'. Certificates are verified.\n"
        "\n"
        "ADDRESS is OWNER/NAME of a model, datasets/OWNER/NAME of a data set, the same behind "
        "hf://\n"
        "(and @REVISION), or the address of its page, https://HUB/[datasets/]OWNER/NAME\n"
        "[/tree/REVISION], which says the hub as well.\n"
        "\n"
        "The token is sent to the hub alone: not to where it redirects to, and not unencrypted "
        "except\n"
        "to this machine. One of MDF_TOKEN is for the hub of MDF_HUB, one of HF_TOKEN for that of\n"
        "HF_ENDPOINT, and for no other; when that variable is not set, for the hub of the command\n"
        "line. With HF_HUB_OFFLINE=1 nothing is fetched.",
    .example = "  export MDF_HUB=https://hub.example MDF_TOKEN=...\n"
               "  mdf pull meta-llama/Llama-3.2-11B-Vision-Instruct --exclude 'original/*' "
               "--out llama\n"
               "  mdf pull someone/something --revision v1.0 --include '*.json' --out settings\n"
               "  mdf pull https://hub.example/datasets/someone/fundus --out fundus",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(pull_flags),
    .operand = {"ADDRESS", 1, 1, "the repository"},
    .run = run,
};
