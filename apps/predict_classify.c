/* mdf predict: probabilities for photographs, with a heat-map if wanted. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "heat.h"
#include "pictures.h"
#include "predict.h"

static mdf_status restrict_labels(mdf_session *session, const arg_list *values, mdf_error *err)
{
    app_labels labels;
    MDF_TRY(app_labels_of(&labels, values, err));
    const mdf_status status = mdf_session_restrict(session, labels.name, labels.count, err);
    app_labels_free(&labels);
    return status;
}

static mdf_status write_heatmap(const char *out, const uint8_t *bytes, size_t len, const char *name,
                                const mdf_result *r, mdf_error *err)
{
    if (r->heat_side == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "--heatmap: this model does not look at pictures");
    }
    mdf_png_bytes png = {0};
    char caption[160];
    (void)snprintf(caption, sizeof caption, "%s, probability %.2f. Not a medical device.",
                   r->label[r->best], (double)r->prob[r->best]);
    mdf_status status = app_draw_heat(&png, r, bytes, len, name, 0, caption, err);
    if (status == MDF_OK) {
        status = mdf_file_write(out, png.data, png.len, err);
    }
    mdf_png_bytes_free(&png);
    return status;
}

static json_t *failure_json(const char *path, const mdf_error *e)
{
    return json_pack("{s:o, s:o}", "image", app_json_string(path), "error",
                     app_json_string(e->text));
}

static json_t *result_json(const char *path, const mdf_result *r)
{
    json_t *prob = json_object();
    for (int k = 0; k < r->label_count; k++) {
        (void)json_object_set_new(prob, r->label[k], json_real((double)r->prob[k]));
    }
    json_t *warning = json_array();
    for (int i = 0; i < r->warning_count; i++) {
        (void)json_array_append_new(warning, json_string(r->warning[i]));
    }
    return json_pack("{s:o, s:b, s:o, s:o, s:f, s:o, s:f, s:f}", "image", app_json_string(path),
                     "gradable", r->gradable, "label",
                     r->gradable ? json_string(r->label[r->best]) : json_null(), "probabilities",
                     prob, "quality", (double)r->quality, "warnings", warning, "decode_ms",
                     r->decode_ms, "forward_ms", r->forward_ms);
}

/* The labels of the set, best first. */
static json_t *set_json(const mdf_result *r)
{
    json_t *set = json_array();
    bool done[MDF_MAX_LABELS] = {false};
    for (int n = 0; n < r->set_count; n++) {
        int best = -1;
        for (int k = 0; k < r->label_count; k++) {
            const bool open = r->in_set[k] && !done[k];
            best = open && (best < 0 || r->prob[k] > r->prob[best]) ? k : best;
        }
        done[best] = true;
        (void)json_array_append_new(set, json_string(r->label[best]));
    }
    return set;
}

/* Adds to a result how far it can be believed. */
static json_t *with_doubt(json_t *doc, const mdf_result *r, double coverage)
{
    if (r->distance_limit > 0) {
        (void)json_object_set_new(doc, "distance", json_real(r->distance));
        (void)json_object_set_new(doc, "distance_limit", json_real(r->distance_limit));
    }
    if (r->set_count >= 0) {
        (void)json_object_set_new(doc, "coverage", json_real(coverage));
        (void)json_object_set_new(doc, "set", r->gradable ? set_json(r) : json_null());
    }
    return doc;
}

static void print_set(const mdf_result *r)
{
    json_t *set = set_json(r);
    (void)printf("\tset: %s", r->set_count == 0 ? "no label" : "");
    for (size_t i = 0; i < json_array_size(set); i++) {
        (void)printf("%s%s", i > 0 ? ", " : "", json_string_value(json_array_get(set, i)));
    }
    json_decref(set);
}

static void say_warning(const app *a, const char *path, const mdf_result *r, const char *warning)
{
    if (strcmp(warning, MDF_WARNING_UNLIKE) == 0) {
        app_say(a, "%s: warning: %s (distance %.2f; %g %% of its own are within %.2f)", path,
                warning, r->distance, 100 * r->distance_share, r->distance_limit);
    } else {
        app_say(a, "%s: warning: %s", path, warning);
    }
}

static void print_text(const char *path, const mdf_result *r)
{
    bool done[MDF_MAX_LABELS] = {false};
    (void)printf("%s", path);
    if (!r->gradable) {
        (void)printf("\tnot classified");
    }
    for (int n = 0; r->gradable && n < r->label_count; n++) {
        int best = -1;
        for (int k = 0; k < r->label_count; k++) {
            best = !done[k] && (best < 0 || r->prob[k] > r->prob[best]) ? k : best;
        }
        done[best] = true;
        (void)printf("\t%s %.3f", r->label[best], (double)r->prob[best]);
    }
    if (r->gradable && r->set_count >= 0) {
        print_set(r);
    }
    (void)printf("\n");
}

static mdf_status predict_one(const app *a, const predict_flags *f, predict_view view,
                              mdf_session *session, const char *path, json_t *list, mdf_error *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    MDF_TRY(app_picture_read(a, path, &bytes, &len, err));
    mdf_result *r = mdf_alloc(1, sizeof *r);
    mdf_status status = r == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory")
                                  : mdf_session_classify(session,
                                                         &(mdf_case){.image = bytes,
                                                                     .image_bytes = len,
                                                                     .name = path,
                                                                     .text = f->text,
                                                                     .heatmap = f->heatmap != NULL,
                                                                     .explain = view.explain,
                                                                     .explain_depth = view.depth,
                                                                     .view = view.view,
                                                                     .tiles = view.tiles},
                                                         r, err);
    if (status == MDF_OK) {
        for (int i = 0; i < r->warning_count; i++) {
            say_warning(a, path, r, r->warning[i]);
        }
        if (a->json) {
            (void)json_array_append_new(list, with_doubt(result_json(path, r), r, f->coverage));
        } else {
            print_text(path, r);
        }
        status = f->heatmap != NULL ? write_heatmap(f->heatmap, bytes, len, path, r, err) : MDF_OK;
    }
    mdf_free(r);
    mdf_free(bytes);
    return status;
}

/* A picture that fails does not keep the others from being classified. */
static mdf_status predict_each(const app *a, const predict_flags *f, predict_view view,
                               mdf_session *session, json_t *list, mdf_error *err)
{
    const size_t n = a->operands.count;
    size_t failed = 0;
    for (size_t i = 0; i < n; i++) {
        const char *path = a->operands.item[i];
        if (*a->stop != 0) {
            return mdf_fail(err, MDF_ERR_STOPPED, "stopped after %zu of %zu pictures", i, n);
        }
        const mdf_status status = predict_one(a, f, view, session, path, list, err);
        if (status == MDF_ERR_STOPPED) {
            return mdf_fail(err, status, "stopped after %zu of %zu pictures", i, n);
        }
        if (status != MDF_OK && n == 1) {
            return status;
        }
        if (status != MDF_OK) {
            failed++;
            (void)fprintf(stderr, "mdf predict: %s\n", err->text);
            (void)json_array_append_new(list, failure_json(path, err));
        }
    }
    return failed == 0 ? MDF_OK
                       : mdf_fail(err, MDF_ERR_FORMAT, "%zu of %zu pictures failed", failed, n);
}

mdf_status predict_classify(const app *a, const predict_flags *f, predict_view view,
                            mdf_session *session, mdf_error *err)
{
    MDF_TRY(restrict_labels(session, &f->labels, err));
    MDF_TRY(mdf_session_cover(session, f->coverage, err));
    json_t *list = json_array();
    const mdf_status status = predict_each(a, f, view, session, list, err);
    if (a->json && (status == MDF_OK || json_array_size(list) > 0)) {
        mdf_error print_err = {0};
        const mdf_status printed = app_print_json(list, &print_err);
        if (status == MDF_OK && printed != MDF_OK) {
            *err = print_err;
            return printed;
        }
        return status;
    }
    json_decref(list);
    return status;
}
