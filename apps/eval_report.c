/* The HTML report of an evaluation: numbers, curves, and a gallery of cases with heat-maps. */
#include "eval_report.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "data/fov.h"
#include "io/jsonl.h"
#include "report/html.h"

enum { GALLERY = 8, CURVE_POINTS_MAX = 4096 };

typedef struct curves {
    double step[CURVE_POINTS_MAX];
    double value[3][CURVE_POINTS_MAX]; /* loss, val_loss, val_macro_auc */
    size_t n;
} curves;

/* No curves is no error: a shipped model has none. */
static void read_curves(curves *c, const char *model)
{
    static const char *const key[3] = {"loss", "val_loss", "val_macro_auc"};
    json_t *rows = NULL;
    char *path = mdf_path_join(model, "metrics.jsonl");
    if (path != NULL && mdf_path_exists(path) && mdf_jsonl_read(&rows, path, NULL) == MDF_OK) {
        for (size_t i = 0; i < json_array_size(rows) && c->n < CURVE_POINTS_MAX; i++, c->n++) {
            const json_t *row = json_array_get(rows, i);
            c->step[c->n] = json_number_value(json_object_get(row, "epoch"));
            for (int k = 0; k < 3; k++) {
                c->value[k][c->n] = json_number_value(json_object_get(row, key[k]));
            }
        }
        json_decref(rows);
    }
    mdf_free(path);
}

static mdf_status draw_case(mdf_png_bytes *png, mdf_session *session, const mdf_manifest_case *c,
                            mdf_error *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_image full = {0};
    mdf_image crop = {0};
    mdf_result *r = mdf_alloc(1, sizeof *r);
    mdf_status status = r == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory") : MDF_OK;
    if (status == MDF_OK) {
        status = mdf_file_read(c->path, MDF_MAX_IMAGE_BYTES, &bytes, &len, err);
    }
    if (status == MDF_OK) {
        status = mdf_session_classify(session,
                                      &(mdf_case){.image = bytes,
                                                  .image_bytes = len,
                                                  .name = c->path,
                                                  .text = c->text,
                                                  .heatmap = true},
                                      r, err);
    }
    if (status == MDF_OK && r->heat_side > 0) {
        status = mdf_image_decode(&full, bytes, len, c->path, err);
        if (status == MDF_OK) {
            status =
                mdf_crop(&crop, &full, (mdf_square){r->crop_left, r->crop_top, r->crop_side}, err);
        }
        if (status == MDF_OK) {
            status = mdf_heatmap_draw(png,
                                      &(mdf_heatmap_options){.rgb = crop.rgb,
                                                             .width = crop.width,
                                                             .height = crop.height,
                                                             .map = r->heat,
                                                             .columns = r->heat_side,
                                                             .rows = r->heat_side,
                                                             .side_max = 220},
                                      err);
        }
    }
    mdf_image_free(&crop);
    mdf_image_free(&full);
    mdf_free(bytes);
    mdf_free(r);
    return status;
}

/* The first case of every label, then more in order, at most GALLERY. */
static size_t choose(size_t index[GALLERY], const mdf_evaluation *e)
{
    size_t n = 0;
    for (size_t k = 0; k < e->classes && n < GALLERY; k++) {
        for (size_t i = 0; i < e->n; i++) {
            if (e->label[i] == (int)k) {
                index[n++] = i;
                break;
            }
        }
    }
    return n;
}

static const mdf_manifest_case *find_case(const mdf_manifest *m, const char *file_name)
{
    for (size_t i = 0; i < m->case_count; i++) {
        if (m->cases[i].file_name == file_name) {
            return &m->cases[i];
        }
    }
    return NULL;
}

static mdf_status gallery(mdf_report_case out[GALLERY], size_t *count, mdf_engine *engine,
                          const mdf_manifest *m, const mdf_evaluation *e, mdf_error *err)
{
    size_t index[GALLERY];
    const size_t n = choose(index, e);
    mdf_session *session = NULL;
    MDF_TRY(mdf_session_new(&session, engine, err));
    mdf_status status = MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < n; i++) {
        const mdf_manifest_case *c = find_case(m, e->file_name[index[i]]);
        if (c == NULL) {
            continue;
        }
        mdf_report_case *o = &out[(*count)++];
        *o = (mdf_report_case){.name = c->file_name,
                               .text = c->text,
                               .label = e->label[index[i]],
                               .prob = e->calibrated + index[i] * e->classes};
        status = draw_case(&o->image, session, c, err);
    }
    mdf_session_free(session);
    return status;
}

mdf_status mdf_eval_report_write(const char *path, const char *model, mdf_engine *engine,
                                 const mdf_manifest *m, const mdf_evaluation *e,
                                 const mdf_metrics_naming *naming, mdf_error *err)
{
    curves *c = mdf_alloc(1, sizeof *c);
    mdf_report_case cases[GALLERY] = {0};
    size_t case_count = 0;
    if (c == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    }
    read_curves(c, model);
    mdf_status status = gallery(cases, &case_count, engine, m, e, err);
    if (status == MDF_OK) {
        const mdf_plot_series loss[] = {
            {.name = "training loss", .x = c->step, .y = c->value[0], .n = c->n},
            {.name = "validation loss", .x = c->step, .y = c->value[1], .n = c->n}};
        const mdf_plot_series auc[] = {
            {.name = "validation macro AUC", .x = c->step, .y = c->value[2], .n = c->n}};
        const mdf_report_chart charts[] = {
            {.series = loss,
             .count = 2,
             .options = {.title = "Loss", .x_label = "epoch", .y_label = "loss"},
             .alt = "Training and validation loss by epoch"},
            {.series = auc,
             .count = 1,
             .options = {.title = "Macro AUC", .x_label = "epoch", .y_label = "AUC"},
             .alt = "Validation macro AUC by epoch"}};
        const mdf_report_fact facts[] = {{"model", model}, {"mdf version", MDF_VERSION}};
        status = mdf_report_write(path,
                                  &(mdf_report){.title = "Evaluation",
                                                .facts = facts,
                                                .fact_count = 2,
                                                .charts = charts,
                                                .chart_count = c->n > 1 ? 2 : 0,
                                                .metrics = &e->metrics,
                                                .input = &e->input,
                                                .naming = naming,
                                                .labels = e->label_name,
                                                .classes = e->classes,
                                                .cases = cases,
                                                .case_count = case_count},
                                  err);
    }
    for (size_t i = 0; i < case_count; i++) {
        mdf_png_bytes_free(&cases[i].image);
    }
    mdf_free(c);
    return status;
}
