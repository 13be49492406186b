/* One case of a comparison of heat-maps: all maps of it, and what each is worth. */
#include "engine/heat_case.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "data/lesions.h"

/* Cells hidden, or back, where the curves are looked at: denser where the order matters most. */
static const int step[] = {0, 8, 16, 32, 64, 96, 128, 192, MDF_HEAT_CELLS};
enum { STEPS = sizeof step / sizeof step[0], BETWEEN = STEPS - 2 };

typedef struct heat_case {
    const mdf_heat_bench *bench;
    size_t at;
    mdf_samples samples;
    bool round_view;
    int label; /* of the model */
    mdf_heat_truth truth;
    mdf_occluder occluder;
    double plain, blurred; /* probability of the label with nothing and with all hidden */
} heat_case;

/* A method's maps, of the model and of the shuffled ones. */
typedef struct maps {
    mdf_explanation of[MDF_HEAT_MODELS];
    int models;
    double ms;
} maps;

static bool new_row(mdf_heat_row *row, size_t room)
{
    for (int k = 0; k < MDF_HEAT_MEASURES; k++) {
        row->value[k] = mdf_alloc(room, sizeof *row->value[k]);
        if (row->value[k] == NULL) {
            return false;
        }
        for (size_t i = 0; i < room; i++) {
            row->value[k][i] = (double)NAN;
        }
    }
    return true;
}

/* The row of this kind of map, made when first met. NULL: out of memory. */
static mdf_heat_row *row_of(const mdf_heat_bench *b, const mdf_heat_row *kind)
{
    mdf_heat_compare *out = b->out;
    for (size_t i = 0; i < out->rows; i++) {
        mdf_heat_row *r = &out->row[i];
        if (strcmp(r->method, kind->method) == 0 && r->depth == kind->depth &&
            r->joined == kind->joined && r->joining == kind->joining) {
            return r;
        }
    }
    if (out->rows == MDF_HEAT_ROWS) {
        return NULL;
    }
    mdf_heat_row *r = &out->row[out->rows++]; /* counted first, so that it is freed */
    *r = *kind;
    return new_row(r, b->room) ? r : NULL;
}

static double probability(const heat_case *c, const mdf_real *score)
{
    const mdf_session *s = c->bench->session[0];
    const mdf_answer_config *a = &s->engine->model->config.answer;
    return exp(mdf_label_log_prob(score, s->allowed, a->label_count, c->label, a->temperature));
}

/* Probability of the label for n pictures with cells hidden. */
static mdf_status probabilities(heat_case *c, const uint8_t *hidden, size_t n, double *p,
                                mdf_error *err)
{
    const size_t labels = (size_t)c->occluder.model->config.answer.label_count;
    mdf_real *score = mdf_alloc(n * labels, sizeof *score);
    if (score == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for hidden cells");
    }
    const mdf_status status = mdf_occluder_scores(&c->occluder, hidden, n, score, err);
    for (size_t i = 0; status == MDF_OK && i < n; i++) {
        p[i] = probability(c, score + i * labels);
    }
    mdf_free(score);
    return status;
}

/* Mean of p over the share of cells, which is straight between the steps. */
static double mean_over_cells(const double p[STEPS])
{
    double share[STEPS];
    for (int i = 0; i < STEPS; i++) {
        share[i] = (double)step[i] / MDF_HEAT_CELLS;
    }
    return mdf_area_under(share, p, STEPS);
}

static mdf_status curves(heat_case *c, mdf_heat_row *row, const float heat[MDF_HEAT_CELLS],
                         mdf_error *err)
{
    uint8_t hidden[2 * BETWEEN][MDF_HEAT_CELLS];
    int order[MDF_HEAT_CELLS];
    double p[2 * BETWEEN];
    double deletion[STEPS] = {c->plain};
    double insertion[STEPS] = {c->blurred};
    mdf_heat_order(order, heat, c->truth.seen, mdf_rng_mix(c->bench->opt->seed, c->at));
    for (int i = 0; i < BETWEEN; i++) {
        for (int k = 0; k < MDF_HEAT_CELLS; k++) {
            hidden[i][order[k]] = k < step[i + 1];
            hidden[BETWEEN + i][order[k]] = k >= step[i + 1];
        }
    }
    MDF_TRY(probabilities(c, hidden[0], (size_t)2 * BETWEEN, p, err));
    memcpy(deletion + 1, p, BETWEEN * sizeof *p);
    memcpy(insertion + 1, p + BETWEEN, BETWEEN * sizeof *p);
    deletion[STEPS - 1] = c->blurred;
    insertion[STEPS - 1] = c->plain;
    row->value[MDF_HEAT_DELETION][c->at] = mean_over_cells(deletion);
    row->value[MDF_HEAT_INSERTION][c->at] = mean_over_cells(insertion);
    return MDF_OK;
}

/* map [side,side]; heat: the same in 16 x 16 cells. */
static mdf_status measure(heat_case *c, mdf_heat_row *row, const float *map, int side,
                          const float heat[MDF_HEAT_CELLS], mdf_error *err)
{
    if (c->truth.pixel != NULL) {
        mdf_heat_pixels against;
        MDF_TRY(mdf_heat_against(&against, map, side, &c->truth, err));
        row->value[MDF_HEAT_HIT][c->at] = mdf_heat_hit(heat, &c->truth);
        row->value[MDF_HEAT_AUPRC][c->at] = against.auprc;
        row->value[MDF_HEAT_MASS][c->at] = against.mass;
    }
    return row->depth == 0 ? curves(c, row, heat, err) : MDF_OK;
}

static mdf_status out_of_rows(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "out of memory to compare heat-maps");
}

/* Joins the depths as kind says, measures the model's map and compares it with the others'. */
static mdf_status measure_kind(heat_case *c, const mdf_heat_row *kind, const maps *m,
                               mdf_error *err)
{
    const mdf_heat_join join = {kind->depth, kind->joining, c->round_view};
    const int side = mdf_heat_side(&m->of[0], kind->depth);
    float map[MDF_MAX_HEAT];
    float heat[MDF_HEAT_MODELS][MDF_HEAT_CELLS];
    mdf_heat_row *row = row_of(c->bench, kind);
    if (row == NULL) {
        return out_of_rows(err);
    }
    if (side == 0) {
        return MDF_OK;
    }
    for (int k = m->models - 1; k >= 0; k--) { /* the model itself last: its map is measured */
        MDF_TRY(mdf_heat_of(map, side, &m->of[k], &join, err));
        mdf_heat_resample(heat[k], MDF_OCCLUSION_SIDE, map, side);
    }
    row->ms += m->ms; /* a sum until the end */
    if (row->depth == 0 && m->models == MDF_HEAT_MODELS) {
        row->value[MDF_HEAT_HEAD][c->at] = mdf_heat_correlation(heat[0], heat[1], c->truth.seen);
        row->value[MDF_HEAT_ENCODER][c->at] = mdf_heat_correlation(heat[0], heat[2], c->truth.seen);
    }
    return measure(c, row, map, side, heat[0], err);
}

static mdf_status measure_kinds(heat_case *c, const char *method, const maps *m, mdf_error *err)
{
    int depths = 0;
    for (int d = 1; d <= MDF_EXPLAIN_DEPTHS; d++) {
        depths += m->of[0].side[d] > 0;
    }
    for (int d = 1; depths > 1 && d <= MDF_EXPLAIN_DEPTHS; d++) {
        if (m->of[0].side[d] > 0) {
            const mdf_heat_row one = {.method = method, .depth = d, .known = true};
            MDF_TRY(measure_kind(c, &one, m, err));
        }
    }
    mdf_heat_row all = {.method = method, .joined = depths > 1, .known = true};
    for (int k = 0; k < (depths > 1 ? MDF_HEAT_JOININGS : 1); k++) {
        all.joining = (mdf_heat_joining)k;
        MDF_TRY(measure_kind(c, &all, m, err));
    }
    return MDF_OK;
}

static mdf_status explain_once(mdf_session *s, mdf_explanation *out, mdf_explain method, int label,
                               const char *name, mdf_error *err)
{
    mdf_taps taps = mdf_explain_taps(method);
    mdf_output o = {0};
    if (method != MDF_EXPLAIN_OCCLUSION) {
        MDF_TRY(mdf_session_forward(s, &taps, &o, name, err));
    }
    return mdf_session_explain(s, out, &o, &taps, method, label, err);
}

static mdf_status try_method(heat_case *c, mdf_explain method, const char *name, mdf_error *err)
{
    maps m = {.models = 0};
    mdf_status status = MDF_OK;
    for (int k = 0; status == MDF_OK && k < MDF_HEAT_MODELS; k++) {
        mdf_session *s = c->bench->session[k];
        if (s == NULL) {
            break;
        }
        const double start = mdf_clock_seconds();
        status = explain_once(s, &m.of[k], method, c->label, name, err);
        m.ms = k == 0 ? 1e3 * (mdf_clock_seconds() - start) : m.ms;
        m.models++;
    }
    if (status == MDF_OK) {
        status = measure_kinds(c, mdf_explain_name(method), &m, err);
    }
    for (int k = 0; k < m.models; k++) {
        mdf_explanation_free(&m.of[k]);
    }
    return status;
}

/* Mean brightness of the picture's cells. */
static void brightness(float heat[MDF_HEAT_CELLS], const mdf_image *im)
{
    double sum[MDF_HEAT_CELLS] = {0};
    double count[MDF_HEAT_CELLS] = {0};
    for (int y = 0; y < im->height; y++) {
        for (int x = 0; x < im->width; x++) {
            const uint8_t *p = im->rgb + 3 * ((size_t)y * (size_t)im->width + (size_t)x);
            const int at = y * MDF_OCCLUSION_SIDE / im->height * MDF_OCCLUSION_SIDE +
                           x * MDF_OCCLUSION_SIDE / im->width;
            sum[at] += p[0] + p[1] + p[2];
            count[at] += 1;
        }
    }
    for (int i = 0; i < MDF_HEAT_CELLS; i++) {
        heat[i] = count[i] > 0 ? (float)(sum[i] / count[i]) : 0;
    }
}

/* Maps that know nothing of the model. */
static mdf_status baselines(heat_case *c, mdf_error *err)
{
    static const char *const name[] = {"random", "gaussian", "brightness"};
    float heat[3][MDF_HEAT_CELLS];
    mdf_rng r = mdf_rng_new(mdf_rng_mix(c->bench->opt->seed, c->at), 0x62617365);
    for (int i = 0; i < MDF_HEAT_CELLS; i++) {
        const int row = i / MDF_OCCLUSION_SIDE;
        const int column = i % MDF_OCCLUSION_SIDE;
        const double x = 2 * (column + 0.5) / MDF_OCCLUSION_SIDE - 1;
        const double y = 2 * (row + 0.5) / MDF_OCCLUSION_SIDE - 1;
        heat[0][i] = (float)mdf_rng_uniform(&r);
        heat[1][i] = (float)exp(-2 * (x * x + y * y)); /* deviation: half of the radius */
    }
    brightness(heat[2], &c->samples.item[0].image);
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < MDF_HEAT_CELLS; i++) {
            heat[k][i] = c->truth.seen[i] ? heat[k][i] : 0;
        }
        mdf_heat_row *row = row_of(c->bench, &(mdf_heat_row){.method = name[k]});
        if (row == NULL) {
            return out_of_rows(err);
        }
        MDF_TRY(measure(c, row, heat[k], MDF_OCCLUSION_SIDE, heat[k], err));
    }
    return MDF_OK;
}

/* Picture and mask, and the batch of every session. */
static mdf_status load(heat_case *c, mdf_manifest_case *info, mdf_error *err)
{
    const mdf_heat_bench *b = c->bench;
    const mdf_config *config = &b->session[0]->engine->model->config;
    const size_t first = 0;
    mdf_grey mask;
    /* As mdf_evaluate() reads them. */
    MDF_TRY(mdf_samples_load(&c->samples, &(mdf_manifest){.cases = info, .case_count = 1},
                             &(mdf_samples_options){.side = mdf_config_crop_side(config),
                                                    .use_image = true,
                                                    .masks = mdf_lesion_masks,
                                                    .mask_count = MDF_LESION_MASKS},
                             NULL, NULL, err));
    c->round_view = c->samples.item[0].fov.kind == MDF_FOV_CIRCLE;
    MDF_TRY(mdf_sample_lesions(&mask, &c->samples.item[0], err));
    const mdf_status status = mdf_heat_truth_of(&c->truth, &mask, c->round_view, err);
    mdf_grey_free(&mask);
    MDF_TRY(status);
    for (int k = 0; k < MDF_HEAT_MODELS && b->session[k] != NULL; k++) {
        b->session[k]->round_view = c->round_view;
        MDF_TRY(mdf_batch_fill(&b->session[k]->buffer, config, &c->samples, &first, 1,
                               &(mdf_batch_options){0}, err));
    }
    return MDF_OK;
}

/* One picture at a time may round another way than a batch did, so the answer is looked at again.
 */
static mdf_status answer(heat_case *c, const char *name, mdf_error *err)
{
    mdf_session *s = c->bench->session[0];
    const int labels = s->engine->model->config.answer.label_count;
    mdf_output o;
    MDF_TRY(mdf_session_forward(s, NULL, &o, name, err));
    c->label = -1;
    for (int k = 0; k < labels; k++) {
        if (s->allowed[k] && (c->label < 0 || o.scores->data[k] > o.scores->data[c->label])) {
            c->label = k;
        }
    }
    return MDF_OK;
}

static mdf_status look_at_ends(heat_case *c, mdf_error *err)
{
    mdf_session *s = c->bench->session[0];
    uint8_t hidden[2][MDF_HEAT_CELLS];
    double p[2];
    memset(hidden[0], 0, sizeof hidden[0]);
    memset(hidden[1], 1, sizeof hidden[1]);
    MDF_TRY(mdf_occluder_new(&c->occluder, &s->graph, s->engine->model, &s->buffer.batch,
                             c->round_view, err));
    MDF_TRY(probabilities(c, hidden[0], 2, p, err));
    c->plain = p[0];
    c->blurred = p[1];
    return MDF_OK;
}

static mdf_status go_on(const heat_case *c, mdf_error *err)
{
    const mdf_heat_compare_options *o = c->bench->opt;
    const bool on = o->progress == NULL || o->progress(o->user, c->at, c->bench->room);
    return on ? MDF_OK : mdf_fail(err, MDF_ERR_STOPPED, "stopped while comparing heat-maps");
}

static mdf_status all_maps(heat_case *c, const char *name, mdf_error *err)
{
    MDF_TRY(look_at_ends(c, err));
    for (int k = 0; k < MDF_EXPLAIN_METHODS; k++) {
        if (c->bench->opt->method[k]) {
            MDF_TRY(go_on(c, err));
            MDF_TRY(try_method(c, (mdf_explain)(MDF_EXPLAIN_GRADIENT + k), name, err));
        }
    }
    return baselines(c, err);
}

static mdf_status run(heat_case *c, mdf_manifest_case *info, const char *truth, bool *counted,
                      mdf_error *err)
{
    mdf_heat_compare *out = c->bench->out;
    MDF_TRY(load(c, info, err));
    if (c->bench->masks_wanted && c->truth.pixel == NULL) {
        out->empty++;
        return MDF_OK;
    }
    MDF_TRY(answer(c, info->path, err));
    if (strcmp(c->bench->session[0]->engine->model->config.answer.labels[c->label], truth) != 0) {
        return MDF_OK;
    }
    out->chance[c->at] = c->truth.pixel == NULL ? (double)NAN : c->truth.chance;
    out->area[c->at] = c->truth.pixel == NULL ? (double)NAN : c->truth.area;
    MDF_TRY(all_maps(c, info->path, err));
    *counted = true;
    return MDF_OK;
}

mdf_status mdf_heat_case_run(const mdf_heat_bench *b, const mdf_manifest_case *c, const char *truth,
                             bool *counted, mdf_error *err)
{
    mdf_manifest_case info = *c;
    heat_case one = {.bench = b, .at = b->out->n};
    *counted = false;
    const mdf_status status = run(&one, &info, truth, counted, err);
    mdf_occluder_free(&one.occluder);
    mdf_heat_truth_free(&one.truth);
    mdf_samples_free(&one.samples);
    return status;
}
