/* Progress and stop for the commands that write whole models. */
#include "model_watch.h"

#include <math.h>
#include <stdio.h>

#include "convert/precision.h"

static void on_piece(void *user, uint64_t done, uint64_t total)
{
    app_model_watch *w = user;
    const uint64_t million = 1000000;
    app_progress_update(&w->bar, &(app_progress_state){.done = (size_t)(done / million),
                                                       .total = (size_t)(total / million),
                                                       .loss = (double)NAN});
}

void app_model_watch_start(app_model_watch *w, const app *a, const char *label)
{
    app_progress_start(&w->bar, label, a->quiet);
    w->watch = (mdf_stream_watch){.progress = on_piece, .user = w, .stop = a->stop};
}

void app_model_watch_finish(app_model_watch *w)
{
    app_progress_finish(&w->bar);
}

mdf_status app_parse_format(app *a, const char *option, const char *word, mdf_dtype *type,
                            bool *keep, mdf_error *err)
{
    if (mdf_precision_parse(word, type, keep)) {
        return MDF_OK;
    }
    return app_usage(a, err,
                     "--%s takes keep, f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k or "
                     "q6_k, not '%s'",
                     option, word);
}

const char *app_size(size_t bytes, char text[APP_SIZE])
{
    if (bytes >= 1000000000) {
        (void)snprintf(text, APP_SIZE, "%.3f GB", 1e-9 * (double)bytes);
    } else {
        (void)snprintf(text, APP_SIZE, "%.3f MB", 1e-6 * (double)bytes);
    }
    return text;
}

mdf_status app_rewrite(const app *a, const char *label, const char *from, const char *to,
                       const mdf_rewrite *how, mdf_rewrite_result *result, mdf_error *err)
{
    app_model_watch w;
    app_model_watch_start(&w, a, label);
    const mdf_status status = mdf_model_rewrite(from, to, how, &w.watch, result, err);
    app_model_watch_finish(&w);
    if (status == MDF_OK && result->remark.text[0] != '\0') {
        app_say(a, "warning: %s", result->remark.text);
    }
    return status;
}

static json_t *rows(const mdf_rewrite_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->tensors; i++) {
        const mdf_rewritten *t = &r->tensor[i];
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:f}", "name", t->name,
                                                    "part", mdf_part_name(t->part), "from",
                                                    mdf_dtype_name(t->from), "to",
                                                    mdf_dtype_name(t->to), "error", t->error));
    }
    return list;
}

static void print_lines(const char *to, bool each, const mdf_rewrite_result *r)
{
    for (size_t i = 0; each && i < r->tensors; i++) {
        const mdf_rewritten *t = &r->tensor[i];
        if (t->from != t->to) {
            (void)printf("%s %s -> %s, error %.3f %%\n", t->name, mdf_dtype_name(t->from),
                         mdf_dtype_name(t->to), 100 * t->error);
        }
    }
    char after[APP_SIZE];
    char before[APP_SIZE];
    (void)printf("%s: %zu tensors, %s (before: %s)\n", to, r->tensors, app_size(r->bytes, after),
                 app_size(r->bytes_before, before));
    if (r->left_out > 0) {
        (void)printf("%zu tensors of U-Net and fusion were left out: transformers has no place for "
                     "them\n",
                     r->left_out);
    }
}

json_t *app_rewrite_json(const char *to, const mdf_rewrite_result *result)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:o}", "model", app_json_string(to), "tensors",
                     (json_int_t)result->tensors, "left_out", (json_int_t)result->left_out,
                     "bytes_before", (json_int_t)result->bytes_before, "bytes",
                     (json_int_t)result->bytes, "tensor", rows(result));
}

mdf_status app_print_rewrite(const app *a, const char *to, bool each, mdf_rewrite_result *result,
                             mdf_error *err)
{
    mdf_status status = MDF_OK;
    if (a->json) {
        status = app_print_json(app_rewrite_json(to, result), err);
    } else {
        print_lines(to, each, result);
    }
    mdf_rewrite_result_free(result);
    return status;
}
