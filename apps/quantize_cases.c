/* mdf quantize --cases: what quantising changes in the answers. */
#include "quantize_cases.h"

#include <math.h>
#include <stdio.h>

#include "data.h"
#include "model_watch.h"
#include "progress.h"

typedef struct case_watch {
    const app *a;
    app_progress bar;
} case_watch;

static bool on_case(void *user, size_t done, size_t total)
{
    case_watch *w = user;
    app_progress_update(&w->bar,
                        &(app_progress_state){.done = done, .total = total, .loss = (double)NAN});
    return *w->a->stop == 0;
}

static mdf_status get_numbers(mdf_case_numbers *out, const quantize_cases *c, app *a,
                              const char *model, const char *label, mdf_error *err)
{
    case_watch w = {.a = a};
    app_progress_start(&w.bar, label, a->quiet);
    const mdf_status status = mdf_case_numbers_get(out,
                                                   &(mdf_case_run){.model_dir = model,
                                                                   .manifest = &c->manifest,
                                                                   .limit = c->limit,
                                                                   .threads = (int)a->threads,
                                                                   .progress = on_case,
                                                                   .user = &w},
                                                   err);
    app_progress_finish(&w.bar);
    return status;
}

void quantize_cases_free(quantize_cases *c)
{
    mdf_case_numbers_free(&c->before);
    mdf_manifest_free(&c->manifest);
}

mdf_status quantize_cases_before(quantize_cases *out, app *a, const char *dir, const char *split,
                                 size_t limit, const char *model, mdf_error *err)
{
    *out = (quantize_cases){.limit = limit};
    MDF_TRY(app_load_data(a, &out->manifest, &dir, 1, MDF_NOTE_ALWAYS, err));
    mdf_status status =
        split == NULL ? MDF_OK : mdf_manifest_keep_split(&out->manifest, split, err);
    if (status == MDF_OK) {
        status = get_numbers(&out->before, out, a, model, "before", err);
    }
    if (status != MDF_OK) {
        quantize_cases_free(out);
    }
    return status;
}

mdf_status quantize_cases_after(const quantize_cases *c, app *a, const char *model,
                                mdf_case_change *change, mdf_error *err)
{
    mdf_case_numbers after;
    MDF_TRY(get_numbers(&after, c, a, model, "after", err));
    const mdf_status status = mdf_case_change_of(change, &c->before, &after, err);
    mdf_case_numbers_free(&after);
    return status;
}

static json_t *change_json(const mdf_change *c, size_t cases)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:f}", "max", c->max, "rms", c->rms,
                     "deviation", c->deviation, "probability_max", c->prob_max, "probability_rms",
                     c->prob_rms, "kl", c->kl, "changed", (json_int_t)c->changed, "changed_share",
                     (double)c->changed / (double)cases);
}

static void print_change(const char *what, const char *answer, const mdf_change *c, size_t cases)
{
    (void)printf("%s: change max %.4g, rms %.4g (their deviation: %.4g)\n", what, c->max, c->rms,
                 c->deviation);
    (void)printf("  probabilities: change max %.4g, rms %.4g, KL %.4g nats\n", c->prob_max,
                 c->prob_rms, c->kl);
    (void)printf("  %s is another one in %zu of %zu cases\n", answer, c->changed, cases);
}

mdf_status quantize_cases_print(const app *a, const char *out, mdf_rewrite_result *result,
                                const mdf_case_change *change, mdf_error *err)
{
    if (!a->json) {
        MDF_TRY(app_print_rewrite(a, out, true, result, err));
        print_change("logits of the next token", "the likeliest token", &change->token,
                     change->cases);
        if (change->labels > 0) {
            print_change("label scores", "the best label", &change->label, change->cases);
        }
        return MDF_OK;
    }
    json_t *doc = app_rewrite_json(out, result);
    json_t *cases = json_pack("{s:I, s:o}", "count", (json_int_t)change->cases, "next_token",
                              change_json(&change->token, change->cases));
    if (change->labels > 0) {
        (void)json_object_set_new(cases, "label", change_json(&change->label, change->cases));
    }
    if (json_object_set_new(doc, "cases", cases) != 0) {
        json_decref(doc);
        doc = NULL;
    }
    return app_print_json(doc, err);
}
