/* What mdf eval found out, as JSON and as text. */
#include "eval_result.h"

#include <stdio.h>

#include "app.h"

void eval_result_free(eval_result *r)
{
    mdf_evaluation_free(&r->e);
    mdf_heat_compare_free(&r->maps);
}

/* What the model read in place of the texts; pattern and counts only of sentences. */
static json_t *text_json(const mdf_retext *how, const mdf_retexted *text)
{
    json_t *doc = json_pack("{s:s,s:I,s:I}", "how", mdf_retext_name(how->as), "cases",
                            (json_int_t)text->cases, "changed", (json_int_t)text->changed);
    if (doc != NULL && how->as == MDF_TEXT_DROP) {
        (void)json_object_set_new(doc, "pattern", app_json_string(how->pattern));
        (void)json_object_set_new(doc, "sentences", json_integer((json_int_t)text->sentences));
        (void)json_object_set_new(doc, "sentences_dropped",
                                  json_integer((json_int_t)text->sentences_dropped));
    }
    return doc;
}

static void text_line(mdf_strbuf *out, const mdf_retext *how, const mdf_retexted *text)
{
    if (how->as == MDF_TEXT_DROP) {
        mdf_strbuf_printf(out, "%-20s  without the %zu of %zu sentences that match \"%s\"\n",
                          "texts", text->sentences_dropped, text->sentences, how->pattern);
    } else if (how->as != MDF_TEXT_GIVEN) {
        mdf_strbuf_printf(out, "%-20s  %s: %zu of %zu are changed\n", "texts",
                          mdf_retext_name(how->as), text->changed, text->cases);
    }
}

mdf_status eval_result_json(json_t **out, const eval_result *r, const mdf_metrics_naming *naming,
                            mdf_error *err)
{
    const mdf_evaluation *e = &r->e;
    json_t *maps = NULL;
    if (r->explained) {
        MDF_TRY(mdf_heat_compare_json(&maps, &r->maps, e, r->resamples, err));
    }
    /* The first key says who wrote it: a later run may replace the file (outputs.c). */
    json_t *doc = json_pack("{s:s}", "producer", "mdf " MDF_VERSION);
    json_t *numbers =
        e->n > 0 ? mdf_metrics_json(&e->metrics, naming)
                 : json_pack("{s:i, s:o, s:o}", "n", 0, "masks", mdf_mask_scores_json(&e->masks),
                             "left_out", mdf_left_out_json(&e->left_out));
    bool ok = doc != NULL && numbers != NULL && json_object_update(doc, numbers) == 0;
    if (ok && e->n > 0) {
        ok = json_object_set_new(doc, "text_as", text_json(&r->how, &e->text)) == 0 &&
             mdf_doubt_json(doc, &e->doubt, e->label_name);
    }
    if (ok && r->heat.masks > 0) {
        ok = json_object_set_new(doc, "heatmap", mdf_heat_check_json(&r->heat)) == 0;
    }
    if (ok && maps != NULL) {
        ok = json_object_set(doc, "explain", maps) == 0;
    }
    json_decref(numbers);
    json_decref(maps);
    if (!ok) {
        json_decref(doc);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the result");
    }
    *out = doc;
    return MDF_OK;
}

static void heat_lines(mdf_strbuf *out, const mdf_heat_check *h)
{
    if (h->n > 0) {
        mdf_strbuf_printf(
            out,
            "\nheat-map on lesion     %.3f  [%.3f, %.3f]\n"
            "The hottest of 16 x 16 cells lies on the lesion mask in %zu of %zu right "
            "answers, a random cell in a share of %.3f.\n",
            h->rate, h->rate_ci.low, h->rate_ci.high, h->hits, h->n, h->chance);
    }
}

mdf_status eval_result_print(const eval_result *r, const mdf_metrics_naming *naming, mdf_error *err)
{
    const mdf_evaluation *e = &r->e;
    mdf_strbuf text = mdf_strbuf_new((size_t)1 << 21);
    mdf_status status = MDF_OK;
    if (e->n > 0) {
        text_line(&text, &r->how, &e->text);
        mdf_metrics_text(&text, &e->metrics, naming);
        mdf_doubt_text(&text, &e->doubt, e->label_name);
        heat_lines(&text, &r->heat);
    } else {
        mdf_mask_scores_text(&text, &e->masks);
    }
    if (r->explained) {
        status = mdf_heat_compare_text(&text, &r->maps, e, r->resamples, err);
    }
    if (status == MDF_OK && text.failed) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the table");
    }
    if (status == MDF_OK) {
        (void)fputs(text.data, stdout);
    }
    mdf_strbuf_free(&text);
    return status;
}
