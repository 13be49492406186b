/* The HTML report of an evaluation: numbers, curves, and a gallery of cases with heat-maps. */
#include "eval_report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "eval_explain.h"
#include "heat.h"
#include "io/jsonl.h"
#include "report/html.h"

enum { GALLERY = 8, CURVE_POINTS_MAX = 4096, FACTS_MAX = 12, FACT_BYTES = 160 };

typedef struct curves {
    double step[CURVE_POINTS_MAX];
    double value[3][CURVE_POINTS_MAX]; /* loss, val_loss, val_macro_auc */
    size_t n;
    int epochs, best_epoch; /* 0 = not known */
} curves;

typedef struct fact_list {
    mdf_report_fact fact[FACTS_MAX];
    char text[FACTS_MAX][FACT_BYTES];
    size_t n;
} fact_list;

/* No curves is no error: a shipped model has none. */
static void read_curves(curves *c, const char *model)
{
    static const char *const key[3] = {"loss", "val_loss", "val_macro_auc"};
    json_t *rows = NULL;
    char *path = mdf_path_join(model, "metrics.jsonl");
    if (path != NULL && mdf_path_exists(path) && mdf_jsonl_read(&rows, path, NULL) == MDF_OK) {
        for (size_t i = 0; i < json_array_size(rows) && c->n < CURVE_POINTS_MAX; i++, c->n++) {
            const json_t *row = json_array_get(rows, i);
            c->epochs = (int)json_integer_value(json_object_get(row, "epoch"));
            c->best_epoch = json_is_true(json_object_get(row, "best")) ? c->epochs : c->best_epoch;
            c->step[c->n] = json_number_value(json_object_get(row, "epoch"));
            for (int k = 0; k < 3; k++) {
                const json_t *number = json_object_get(row, key[k]); /* null: there is none */
                c->value[k][c->n] =
                    json_is_number(number) ? json_number_value(number) : (double)NAN;
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
        status = app_draw_heat(png, r, bytes, len, c->path, 220, NULL, err);
    }
    mdf_free(bytes);
    mdf_free(r);
    return status;
}

/* The first case of every label, then the second of every label and so on, at most GALLERY. */
static size_t choose(size_t index[GALLERY], const mdf_evaluation *e)
{
    size_t n = 0;
    for (size_t round = 0; n < GALLERY && n < e->n; round++) {
        for (size_t k = 0; k < e->classes && n < GALLERY; k++) {
            size_t seen = 0;
            for (size_t i = 0; i < e->n; i++) {
                if (e->label[i] == (int)k && seen++ == round) {
                    index[n++] = i;
                    break;
                }
            }
        }
    }
    return n;
}

static mdf_status gallery(mdf_report_case out[GALLERY], size_t *count, mdf_engine *engine,
                          const mdf_manifest *m, const mdf_evaluation *e, mdf_error *err)
{
    size_t index[GALLERY];
    const size_t n = choose(index, e);
    mdf_session *session = NULL;
    MDF_TRY(mdf_session_new(&session, engine, err));
    mdf_status status = mdf_session_restrict(session, e->label_name, e->classes, err);
    for (size_t i = 0; status == MDF_OK && i < n; i++) {
        const mdf_manifest_case *c = mdf_evaluation_case(e, index[i], m);
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

static void add_fact(fact_list *f, const char *name, const char *fmt, ...) MDF_PRINTF(3, 4);
static void add_fact(fact_list *f, const char *name, const char *fmt, ...)
{
    if (f->n < FACTS_MAX) {
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(f->text[f->n], FACT_BYTES, fmt, args);
        va_end(args);
        f->fact[f->n] = (mdf_report_fact){name, f->text[f->n]};
        f->n++;
    }
}

static void collect_facts(fact_list *f, const char *model, const mdf_engine *engine,
                          const curves *c, const mdf_evaluation *e, const mdf_heat_check *heat)
{
    const mdf_config *config = &engine->model->config;
    int64_t parameters = 0;
    for (size_t i = 0; i < engine->model->params.count; i++) {
        parameters += mdf_tensor_count(&engine->model->params.item[i]->tensor);
    }
    add_fact(f, "cases", "%zu of %zu patients, %zu labels", e->metrics.n, e->metrics.patients,
             e->classes);
    add_fact(f, "model", "%s", model);
    add_fact(f, "size", "%.2f million parameters", (double)parameters / 1e6);
    if (config->train.use_image) {
        add_fact(f, "pictures", "%d x %d pixels for the U-Net, %d x %d for the vision tower",
                 config->unet.image_size, config->unet.image_size, config->vision.image_size,
                 config->vision.image_size);
    }
    add_fact(f, "reads", "%s",
             !config->train.use_image  ? "the text only"
             : !config->train.use_text ? "the picture only"
                                       : "the picture and the text");
    if (c->epochs > 0) {
        add_fact(f, "training", "%d epochs; the weights are those of epoch %d", c->epochs,
                 c->best_epoch);
    }
    add_fact(f, "temperature", "%.3f, fitted on the validation cases", config->answer.temperature);
    if (e->doubt.sets != NULL) {
        const mdf_set_count *s = &e->doubt.all;
        add_fact(f, "sets of labels",
                 "asked to hold the true label in %g %% of cases: they do in %.1f %%, with %.2f "
                 "labels on average",
                 100 * e->doubt.sets->coverage, 100 * (double)s->covered / (double)s->n,
                 (double)s->labels / (double)s->n);
    }
    for (size_t i = 0; i < e->doubt.dir_count; i++) {
        const mdf_unlike_count *u = &e->doubt.unlike[i];
        if (u->n > 0) {
            add_fact(f, "unlike the model's own", "%zu of %zu photographs of %s", u->unlike, u->n,
                     u->dir);
        }
    }
    if (heat->n > 0) {
        add_fact(f, "heat-map check",
                 "hottest of 16 x 16 cells on the lesion in %zu of %zu right answers (%.0f %%, "
                 "interval %.0f to %.0f %%; by chance %.0f %%)",
                 heat->hits, heat->n, 100 * heat->rate, 100 * heat->rate_ci.low,
                 100 * heat->rate_ci.high, 100 * heat->chance);
    }
    add_fact(f, "mdf version", "%s", MDF_VERSION);
}

/* Coverages [n] of the accuracies of e->doubt. */
static double *shares(const mdf_evaluation *e)
{
    double *share = mdf_alloc(e->doubt.n, sizeof *share);
    for (size_t i = 0; share != NULL && i < e->doubt.n; i++) {
        share[i] = (double)(i + 1) / (double)e->doubt.n;
    }
    return share;
}

static mdf_status write_report(const char *path, const curves *c, const fact_list *f,
                               const mdf_report_table *maps, const mdf_report_case *cases,
                               size_t case_count, const mdf_evaluation *e,
                               const mdf_metrics_naming *naming, mdf_error *err)
{
    double *share = shares(e);
    if (share == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    }
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
    const mdf_plot_series sure = {
        .name = "accuracy", .x = share, .y = e->doubt.accuracy, .n = e->doubt.n};
    const mdf_report_chart coverage = {
        .series = &sure,
        .count = 1,
        .options = {.title = "Accuracy of the surest answers",
                    .x_label = "share of the cases that are answered",
                    .y_label = "accuracy",
                    .unit_y = true},
        .alt = "Accuracy against the share of cases answered, the surest first"};
    const mdf_status status = mdf_report_write(path,
                                               &(mdf_report){.title = "Evaluation",
                                                             .facts = f->fact,
                                                             .fact_count = f->n,
                                                             .charts = charts,
                                                             .chart_count = c->n > 1 ? 2 : 0,
                                                             .metrics = &e->metrics,
                                                             .input = &e->input,
                                                             .curves = &coverage,
                                                             .curve_count = 1,
                                                             .naming = naming,
                                                             .labels = e->label_name,
                                                             .classes = e->classes,
                                                             .table = maps->rows > 0 ? maps : NULL,
                                                             .cases = cases,
                                                             .case_count = case_count},
                                               err);
    mdf_free(share);
    return status;
}

mdf_status mdf_eval_report_write(const char *path, const char *model, mdf_engine *engine,
                                 const mdf_manifest *m, const mdf_evaluation *e,
                                 const mdf_heat_check *heat, const mdf_heat_compare *maps,
                                 const mdf_metrics_naming *naming, mdf_error *err)
{
    curves *c = mdf_alloc(1, sizeof *c);
    fact_list facts = {.n = 0};
    mdf_report_case cases[GALLERY] = {0};
    size_t case_count = 0;
    eval_maps_table *table = mdf_alloc(1, sizeof *table);
    if (c == NULL || table == NULL) {
        mdf_free(c);
        mdf_free(table);
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    }
    read_curves(c, model);
    collect_facts(&facts, model, engine, c, e, heat);
    mdf_status status = eval_maps_table_of(table, maps, e->metrics.resamples, err);
    if (status == MDF_OK) {
        status = gallery(cases, &case_count, engine, m, e, err);
    }
    if (status == MDF_OK) {
        status = write_report(path, c, &facts, &table->table, cases, case_count, e, naming, err);
    }
    eval_maps_table_free(table);
    mdf_free(table);
    for (size_t i = 0; i < case_count; i++) {
        mdf_png_bytes_free(&cases[i].image);
    }
    mdf_free(c);
    return status;
}
