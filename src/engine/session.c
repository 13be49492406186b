/* One request at a time: bytes and a sentence in, probabilities, warnings and a heat-map out. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "engine/session.h"
#include "nn/answer.h"
#include "photo/fov.h"
#include "photo/quality.h"

/* What classifying needs and answering in words does not. */
static mdf_status prepare_labels(mdf_session *s, mdf_error *err)
{
    const mdf_config *c = &s->engine->model->config;
    const char *label[MDF_MAX_CLASSES];
    for (int i = 0; i < c->answer.label_count; i++) {
        label[i] = c->answer.labels[i];
        s->allowed[i] = true;
    }
    MDF_TRY(mdf_label_tree_new(&s->tree, s->engine->tokenizer, label, c->answer.label_count, err));
    return mdf_batch_buffer_new(&s->buffer, c, s->tree, 1, err);
}

mdf_status mdf_session_new(mdf_session **out, mdf_engine *e, mdf_error *err)
{
    *out = NULL;
    mdf_session *s = mdf_alloc(1, sizeof *s);
    if (s == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the session");
    }
    s->engine = e;
    s->said = mdf_detokeniser_new(e->tokenizer);
    mdf_status status = mdf_kernels_new(&s->kernels, e->max_isa, err);
    if (status == MDF_OK) {
        status = mdf_graph_init(&s->graph, s->kernels, false, 0, err);
    }
    if (status == MDF_OK && mdf_engine_has_labels(e)) {
        status = prepare_labels(s, err);
    }
    if (status != MDF_OK) {
        mdf_session_free(s);
        return status;
    }
    *out = s;
    return MDF_OK;
}

void mdf_session_free(mdf_session *s)
{
    if (s != NULL) {
        mdf_decoder_free(s->decoder);
        mdf_conversation_free(&s->chat);
        mdf_detokeniser_free(&s->said);
        mdf_session_view_free(&s->view);
        mdf_free(s->sets);
        mdf_session_maps_free(&s->maps);
        mdf_free(s->token);
        mdf_arena_free(&s->shown);
        mdf_batch_buffer_free(&s->buffer);
        mdf_label_tree_free(s->tree);
        mdf_graph_free(&s->graph);
        mdf_kernels_free(s->kernels);
        mdf_free(s);
    }
}

void mdf_session_watch(mdf_session *s, const volatile sig_atomic_t *stop)
{
    s->stop = stop;
    s->graph.stop = stop;
}

mdf_status mdf_session_restrict(mdf_session *s, const char *const *labels, size_t count,
                                mdf_error *err)
{
    const int known = mdf_engine_label_count(s->engine);
    bool allowed[MDF_MAX_LABELS] = {false};
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (int k = 0; k < known; k++) {
            if (strcmp(labels[i], mdf_engine_label(s->engine, k)) == 0) {
                allowed[k] = found = true;
            }
        }
        if (!found) {
            return mdf_fail(err, MDF_ERR_ARG, "label \"%s\" is not one of the model's", labels[i]);
        }
    }
    for (int k = 0; k < known; k++) {
        s->allowed[k] = count == 0 || allowed[k];
    }
    return MDF_OK;
}

/* Not just the crop in one tile, as the batch has it. */
static bool wants_tiles(const mdf_session *s, const mdf_case *c)
{
    const mdf_config *config = &s->engine->model->config;
    return config->train.use_image && mdf_config_has_vision(config) &&
           (c->view == MDF_VIEW_WHOLE || (c->tiles != 0 && c->tiles != 1));
}

/* Quality of the whole picture and what the model sees of it. */
static mdf_status look(mdf_session *s, mdf_sample *sample, mdf_result *r, const mdf_case *c,
                       mdf_error *err)
{
    mdf_image full = {0};
    mdf_fov fov;
    mdf_square at = {0};
    mdf_quality quality;
    MDF_TRY(mdf_image_decode(&full, c->image, c->image_bytes, c->name, err));
    mdf_status status = mdf_fov_find(&fov, &full, err);
    if (status == MDF_OK) {
        status = mdf_quality_score(&quality, &full, &fov, err);
    }
    if (status == MDF_OK) {
        s->round_view = fov.kind == MDF_FOV_CIRCLE;
        at = mdf_fov_square(&fov);
        r->crop_left = at.left;
        r->crop_top = at.top;
        r->crop_side = at.side;
        r->quality = quality.score;
        r->gradable =
            (quality.reasons & MDF_QUALITY_NO_FUNDUS) == 0 && at.side >= MDF_QUALITY_MIN_SIDE;
        for (unsigned bit = 1; bit < 1U << MDF_QUALITY_REASONS; bit <<= 1) {
            if ((quality.reasons & bit) != 0 && r->warning_count < MDF_MAX_WARNINGS) {
                r->warning[r->warning_count++] = mdf_quality_reason_text(bit);
            }
        }
        if (fov.kind != MDF_FOV_CIRCLE && r->warning_count < MDF_MAX_WARNINGS) {
            r->warning[r->warning_count++] = "no round field of view found";
        }
        status = mdf_crop_within(&sample->image, &full, at,
                                 mdf_config_crop_side(&s->engine->model->config), err);
    }
    if (status == MDF_OK) {
        status = mdf_session_distance(s, &sample->image, r, err);
    }
    mdf_session_view_clear(&s->view);
    s->kept = false;
    if (status == MDF_OK && wants_tiles(s, c)) {
        status = mdf_session_cut(s, &full, c->view == MDF_VIEW_WHOLE ? NULL : &at,
                                 c->tiles == 0 ? 1 : c->tiles, err);
    }
    mdf_image_free(&full);
    return status == MDF_OK ? MDF_OK : mdf_fail_prefix(err, status, sample->info->file_name);
}

/* Softmax over the allowed labels at the calibrated temperature. */
static void probabilities(const mdf_session *s, const mdf_tensor *scores, mdf_result *r)
{
    const mdf_config *c = &s->engine->model->config;
    float masked[MDF_MAX_LABELS];
    r->label_count = c->answer.label_count;
    for (int k = 0; k < r->label_count; k++) {
        r->label[k] = c->answer.labels[k];
        masked[k] = s->allowed[k] ? (float)scores->data[k] : -1e30f;
    }
    mdf_softmax_temperature(r->prob, masked, 1, (size_t)r->label_count, c->answer.temperature);
    for (int k = 1; k < r->label_count; k++) {
        r->best = r->prob[k] > r->prob[r->best] ? k : r->best;
    }
}

/* Leaves the allowed labels only, in the order of the model's. */
static void keep_allowed(const mdf_session *s, mdf_result *r)
{
    const int best = r->best;
    int n = 0;
    for (int k = 0; k < r->label_count; k++) {
        if (s->allowed[k]) {
            r->best = k == best ? n : r->best;
            r->label[n] = r->label[k];
            r->prob[n] = r->prob[k];
            n++;
        }
    }
    r->label_count = n;
}

static const char *name_of(const mdf_case *c)
{
    return c->name == NULL ? "picture" : c->name;
}

static mdf_status infer(mdf_session *s, const mdf_samples *one, const mdf_case *c, mdf_result *r,
                        mdf_error *err)
{
    const mdf_mllm *m = s->engine->model;
    const size_t index = 0;
    MDF_TRY(mdf_batch_fill(&s->buffer, &m->config, one, &index, 1, &(mdf_batch_options){0}, err));
    if (s->view.photos > 0) {
        s->buffer.batch.vision_image = s->view.tile;
        s->buffer.batch.aspect_ratio_id = s->view.id;
    }
    mdf_session_how how;
    MDF_TRY(mdf_session_how_to_explain(s, c, &how, err));
    mdf_taps taps = mdf_explain_taps(how.method);
    mdf_output o;
    MDF_TRY(mdf_session_forward(s, how.needs_gradient ? &taps : NULL, &o, name_of(c), err));
    probabilities(s, o.scores, r);
    if (how.wanted) {
        MDF_TRY(mdf_session_heat(s, c, &how, &o, &taps, r, err));
    }
    MDF_TRY(mdf_session_set(s, r, err));
    keep_allowed(s, r);
    return MDF_OK;
}

mdf_status mdf_session_classify(mdf_session *s, const mdf_case *c, mdf_result *out, mdf_error *err)
{
    MDF_TRY(mdf_engine_answers(s->engine, err));
    if (s->tree == NULL) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "this model has no labels to choose from; it can be asked for words");
    }
    mdf_result *r = mdf_alloc(1, sizeof *r); /* *out stays untouched on failure */
    if (r == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the result");
    }
    const double start = mdf_clock_seconds();
    const size_t text_bytes = c->text == NULL ? 0 : strlen(c->text);
    const mdf_manifest_case info = {.file_name = name_of(c),
                                    .text = c->text == NULL ? "" : c->text};
    mdf_sample sample = {.label = -1, .info = &info};
    mdf_status status = MDF_OK;
    if (mdf_utf8_check((const uint8_t *)c->text, text_bytes) < text_bytes) {
        status = mdf_fail(err, MDF_ERR_FORMAT, "%s: the text that goes with it is not UTF-8",
                          info.file_name);
    }
    status = status == MDF_OK ? look(s, &sample, r, c, err) : status;
    r->decode_ms = 1e3 * (mdf_clock_seconds() - start);
    if (status == MDF_OK) {
        status = infer(s, &(mdf_samples){.item = &sample, .count = 1}, c, r, err);
        r->forward_ms = 1e3 * (mdf_clock_seconds() - start) - r->decode_ms;
    }
    mdf_session_view_clear(&s->view); /* no question's: same_image does not mean it */
    mdf_image_free(&sample.image);
    if (status == MDF_OK) {
        *out = *r;
    }
    mdf_free(r);
    return status;
}
