/* Maps of the methods that need a gradient, against central differences of what they explain with
 * respect to the features at a place, in double; and occlusion against forward passes of pictures
 * that are hidden by hand. How maps are joined is checked on numbers.
 *
 * Differences of two step sizes, 1e-5 and half of it, are combined so that the third derivative,
 * large behind norms over few numbers, drops out; rounding is 1e-16 / 1e-5 of the score, and maps
 * are floats, good to 6e-8. 1e-6 of the map's largest number holds both. */
#include "unit/nn/golden.h"

#include "base/rng.h"
#include "engine/occlude.h"

static const double step = 1e-5;
static const double tolerance = 1e-6;

enum { PLACES = 3, LABEL = 1 };

static golden g;
static bool all_allowed[MDF_MAX_LABELS];

/* A model as it is opened to predict: weights are no parameters of a training. Those that are zero
 * at first become something, so that nothing is hidden behind them. */
static void open_model(const char *const *set, bool golden_ones)
{
    golden_open(&g, set);
    if (golden_ones) {
        golden_weights(&g);
    } else {
        mdf_params_initialise(&g.model->params, 7);
    }
    mdf_rng r = mdf_rng_new(5, 5);
    for (size_t i = 0; i < g.model->params.count; i++) {
        mdf_param *p = g.model->params.item[i];
        const int64_t n = mdf_tensor_count(&p->tensor);
        p->tensor.needs_grad = false;
        for (int64_t k = 0; !golden_ones && p->init == MDF_INIT_ZERO && k < n; k++) {
            p->tensor.data[k] = 0.3 * mdf_rng_normal(&r);
        }
        for (int64_t k = 0; strncmp(p->tensor.name, "mdf.aux.", 8) == 0 && k < n; k++) {
            p->tensor.data[k] = 0.3 * mdf_rng_normal(&r);
        }
    }
    g.batch.cases = 1;
    g.batch.label = NULL;
    for (int k = 0; k < MDF_MAX_LABELS; k++) {
        all_allowed[k] = true;
    }
}

static mdf_output forward(mdf_taps *taps, bool train)
{
    mdf_error err = {0};
    mdf_graph_reset(&g.graph);
    g.graph.train = train;
    g.batch.taps = taps;
    const mdf_output o = mdf_mllm_forward(&g.graph, g.model, &g.batch, false);
    must(mdf_graph_status(&g.graph, &err), &err);
    return o;
}

/* log p(LABEL), or the score of LABEL */
static double explained(mdf_taps *taps, bool log_prob)
{
    const mdf_output o = forward(taps, false);
    const int labels = g.model->config.answer.label_count;
    double sum = 0;
    for (int k = 0; k < labels; k++) {
        sum += exp(o.scores->data[k] - o.scores->data[LABEL]);
    }
    return log_prob ? -log(sum) : o.scores->data[LABEL];
}

static void make_maps(mdf_explanation *e, mdf_taps *taps, mdf_explain method)
{
    mdf_error err = {0};
    mdf_real weight[MDF_MAX_LABELS] = {0};
    const int labels = g.model->config.answer.label_count;
    const mdf_output o = forward(taps, true);
    if (method == MDF_EXPLAIN_GRADIENT) {
        weight[LABEL] = 1;
    } else {
        mdf_explain_log_prob(weight, o.scores->data, all_allowed, labels, LABEL);
    }
    must(mdf_explain_backward(e, &g.graph, g.model, &o, taps, method, weight, &err), &err);
}

/* The tap that makes the map of a depth; of attention the block's. */
static mdf_tap *tap_of(mdf_taps *t, mdf_explain method, int depth)
{
    if (method == MDF_EXPLAIN_LAYERCAM) {
        return &t->level[depth];
    }
    if (method == MDF_EXPLAIN_GRADIENT) {
        return &t->pooled[depth];
    }
    for (int i = 0; i < g.model->config.fusion.map_count; i++) {
        if (g.model->config.fusion.map[i].level == depth) {
            return &t->block[i];
        }
    }
    return NULL;
}

/* Numbers of a tapped place, kept beyond a reset of the graph. */
typedef struct features {
    mdf_tensor push;
    mdf_real value[8192], grad[8192], zeros[8192];
    int64_t n; /* of a place */
} features;

static void keep(features *f, const mdf_tap *tap, int64_t places)
{
    const int64_t count = mdf_tensor_count(tap->push);
    assert_true(count <= 8192);
    f->n = count / places;
    memset(f->zeros, 0, sizeof f->zeros);
    memcpy(f->value, tap->value, (size_t)count * sizeof *f->value);
    memcpy(f->grad, tap->push->grad, (size_t)count * sizeof *f->grad);
    f->push = *tap->push;
    f->push.grad = NULL;
    f->push.data = f->zeros;
}

/* d explained / d direction. False: a kink, where the two step sizes disagree. */
static bool slope(double *out, features *f, mdf_explain method, int depth, int64_t at,
                  const double *direction)
{
    double found[2];
    for (int k = 0; k < 2; k++) {
        const double h = step / (1 + k);
        double side[2];
        for (int s = 0; s < 2; s++) {
            mdf_taps taps = mdf_explain_taps(method);
            tap_of(&taps, method, depth)->push = &f->push;
            for (int64_t c = 0; c < f->n; c++) {
                f->zeros[at * f->n + c] = (s == 0 ? h : -h) * direction[c];
            }
            side[s] = explained(&taps, method != MDF_EXPLAIN_GRADIENT);
        }
        found[k] = (side[0] - side[1]) / (2 * h);
    }
    memset(f->zeros, 0, sizeof f->zeros);
    *out = (4 * found[1] - found[0]) / 3;
    return fabs(found[0] - found[1]) < 1e-5 * (1e-3 + fabs(found[0]));
}

/* Attention has a map's part for each head that shares keys and values. */
static int64_t head_count(mdf_explain method)
{
    return method == MDF_EXPLAIN_ATTENTION ? g.model->config.text.num_key_value_heads : 1;
}

/* What the method's definition makes of differences, channel by channel. */
static bool by_differences(double *out, features *f, mdf_explain method, int depth, int64_t at)
{
    const int64_t heads = head_count(method);
    double total = 0;
    double part = 0;
    for (int64_t c = 0; c < f->n; c++) {
        double direction[512] = {0};
        double d = 0;
        direction[c] = 1;
        if (!slope(&d, f, method, depth, at, direction)) {
            return false;
        }
        const bool counts = method != MDF_EXPLAIN_LAYERCAM || d > 0;
        part += counts ? d * f->value[at * f->n + c] : 0;
        if ((c + 1) % (f->n / heads) == 0) {
            total += part > 0 ? part : 0;
            part = 0;
        }
    }
    *out = total;
    return true;
}

/* Along the features that the map sums up (of LayerCAM those whose gradient is positive, as the
 * tape says), head by head: few differences where there are too many features for one each. */
static bool by_direction(double *out, features *f, mdf_explain method, int depth, int64_t at)
{
    const int64_t heads = head_count(method);
    bool smooth = true;
    *out = 0;
    for (int64_t head = 0; head < heads; head++) {
        double direction[512] = {0};
        double d = 0;
        for (int64_t c = head * f->n / heads; c < (head + 1) * f->n / heads; c++) {
            const int64_t i = at * f->n + c;
            const bool counts = method != MDF_EXPLAIN_LAYERCAM || f->grad[i] > 0;
            direction[c] = counts ? f->value[i] : 0;
        }
        smooth = slope(&d, f, method, depth, at, direction) && smooth;
        *out += d > 0 ? d : 0;
    }
    return smooth;
}

/* Maps of depths from first on; places of more than `most` numbers along one direction. Returns how
 * many places agreed. */
static int check_method(mdf_explain method, int first, int64_t most)
{
    static features f;
    mdf_rng r = mdf_rng_new(3, (uint64_t)method);
    int agreed = 0;
    for (int depth = first; depth <= MDF_EXPLAIN_DEPTHS; depth++) {
        mdf_explanation e;
        mdf_taps taps = mdf_explain_taps(method);
        make_maps(&e, &taps, method);
        const int64_t places = (int64_t)e.side[depth] * e.side[depth];
        if (places > 0) {
            keep(&f, tap_of(&taps, method, depth), places);
        }
        float largest = 0;
        for (int64_t i = 0; i < places; i++) {
            largest = e.map[depth][i] > largest ? e.map[depth][i] : largest;
        }
        for (int k = 0; k < PLACES && places > 0; k++) {
            const int64_t at = mdf_rng_below(&r, (uint32_t)places);
            double want = 0;
            const bool smooth = f.n <= most ? by_differences(&want, &f, method, depth, at)
                                            : by_direction(&want, &f, method, depth, at);
            if (!smooth) {
                continue;
            }
            const double got = (double)e.map[depth][at];
            if (fabs(got - want) > tolerance * fmax((double)largest, fabs(want)) + 1e-12) {
                fail_msg("%s, depth %d, place %lld: %.9g, differences say %.9g (largest %.3g)",
                         mdf_explain_name(method), depth, (long long)at, got, want,
                         (double)largest);
            }
            agreed++;
        }
        mdf_explanation_free(&e);
    }
    return agreed;
}

static void maps_are_what_differences_make_them(void **state)
{
    (void)state;
    open_model(NULL, true);
    assert_true(check_method(MDF_EXPLAIN_LAYERCAM, 1, 4) >= 9); /* of 12 */
    assert_true(check_method(MDF_EXPLAIN_GRADIENT, 1, 0) >= 9);
    assert_true(check_method(MDF_EXPLAIN_ATTENTION, 1, 0) >= 9);
    golden_close(&g);
}

/* The classifier's logits are part of the scores: the bottleneck has a map, by either method. */
static void the_classifier_of_the_picture_is_explained_too(void **state)
{
    (void)state;
    static const char *const set[] = {"answer_config.image_head=true", NULL};
    static const mdf_explain methods[] = {MDF_EXPLAIN_LAYERCAM, MDF_EXPLAIN_GRADIENT};
    open_model(set, false);
    for (int i = 0; i < 2; i++) {
        mdf_explanation e;
        mdf_taps taps = mdf_explain_taps(methods[i]);
        make_maps(&e, &taps, methods[i]);
        assert_int_equal(e.side[5], 2); /* 32 pixels, halved four times */
        for (int l = 1; l <= 4; l++) {
            assert_int_equal(e.side[l], methods[i] == MDF_EXPLAIN_LAYERCAM ? 64 >> l : 2);
        }
        mdf_explanation_free(&e);
        assert_true(check_method(methods[i], 5, 0) >= 2); /* of 3 */
    }
    golden_close(&g);
}

/* No text is read: what speaks does so by the bottleneck, and all that leads there. */
static void a_model_of_pictures_alone_is_explained(void **state)
{
    (void)state;
    static const char *const set[] = {"answer_config.image_head=true", "train_config.task=picture",
                                      NULL};
    open_model(set, false);
    mdf_explanation e;
    mdf_taps taps = mdf_explain_taps(MDF_EXPLAIN_GRADIENT);
    make_maps(&e, &taps, MDF_EXPLAIN_GRADIENT);
    for (int l = 1; l <= 4; l++) {
        assert_int_equal(e.side[l], 0); /* the fusion is not asked */
    }
    assert_int_equal(e.side[5], 2);
    mdf_explanation_free(&e);
    assert_true(check_method(MDF_EXPLAIN_LAYERCAM, 1, 16) >= 11); /* of 15 */
    assert_null(mdf_explain_obstacle(g.model, MDF_EXPLAIN_LAYERCAM));
    assert_non_null(mdf_explain_obstacle(g.model, MDF_EXPLAIN_ATTENTION));
    golden_close(&g);
}

/* Sides 16, 8, 4, 2, 1. */
static void an_efficientnet_is_explained(void **state)
{
    (void)state;
    static const char *const set[] = {
        "unet_config.encoder=efficientnet_lite0", "unet_config.mask_channels=0",
        "fusion_config.map=[[1,1],[1,2],[3,3]]", "answer_config.image_head=true", NULL};
    open_model(set, false);
    mdf_explanation e;
    mdf_taps taps = mdf_explain_taps(MDF_EXPLAIN_LAYERCAM);
    make_maps(&e, &taps, MDF_EXPLAIN_LAYERCAM);
    for (int l = 1; l <= 5; l++) {
        assert_int_equal(e.side[l], 32 >> l);
    }
    mdf_explanation_free(&e);
    g.model->config.train.task = MDF_TASK_PICTURE; /* quicker, and the encoder's way is the same */
    assert_true(check_method(MDF_EXPLAIN_LAYERCAM, 1, 0) >= 11); /* of 15 */
    golden_close(&g);
}

static void what_cannot_be_explained_is_said(void **state)
{
    (void)state;
    static const char *const concat[] = {"fusion_config.attend=concat",
                                         "fusion_config.map=[[1,1],[3,3]]", NULL};
    static const char *const blind[] = {"train_config.use_image=false", NULL};
    static const char *const no_unet[] = {"train_config.use_unet=false", NULL};
    open_model(concat, false);
    assert_null(mdf_explain_obstacle(g.model, MDF_EXPLAIN_GRADIENT));
    assert_non_null(strstr(mdf_explain_obstacle(g.model, MDF_EXPLAIN_ATTENTION), "fusion blocks"));
    golden_close(&g);
    open_model(blind, false);
    assert_non_null(strstr(mdf_explain_obstacle(g.model, MDF_EXPLAIN_OCCLUSION), "pictures"));
    golden_close(&g);
    open_model(no_unet, false);
    assert_null(mdf_explain_obstacle(g.model, MDF_EXPLAIN_OCCLUSION));
    assert_non_null(strstr(mdf_explain_obstacle(g.model, MDF_EXPLAIN_GRADIENT), "U-Net"));
    golden_close(&g);
}

/* --- occlusion --- */

static bool inside(int x, int y, int side)
{
    const double dx = 2 * (x + 0.5) / side - 1;
    const double dy = 2 * (y + 0.5) / side - 1;
    return dx * dx + dy * dy <= 1;
}

/* The plain sum over all pixels within three deviations along both axes. */
static double blurred_pixel(const mdf_real *px, int side, int x, int y, int c)
{
    const double sigma = side / 16.0;
    const int reach = (int)(3 * sigma);
    double sum = 0;
    double weight = 0;
    for (int v = y - reach; v <= y + reach; v++) {
        for (int u = x - reach; u <= x + reach; u++) {
            if (u >= 0 && v >= 0 && u < side && v < side && inside(u, v, side)) {
                const double w =
                    exp(-((u - x) * (u - x) + (v - y) * (v - y)) / (2 * sigma * sigma));
                sum += w * px[(v * side + u) * 3 + c];
                weight += w;
            }
        }
    }
    return sum / weight;
}

/* out: px with the cell blurred, where the cell of a pixel is the one its centre lies in. */
static void hide_by_hand(mdf_real *out, const mdf_real *px, int side, int cell)
{
    for (int i = 0; i < side * side; i++) {
        const int x = i % side;
        const int y = i / side;
        const int column = (int)floor((x + 0.5) * 16 / side);
        const int row = (int)floor((y + 0.5) * 16 / side);
        const bool hidden = row * 16 + column == cell && inside(x, y, side);
        for (int c = 0; c < 3; c++) {
            out[3 * i + c] = hidden ? blurred_pixel(px, side, x, y, c) : px[3 * i + c];
        }
    }
}

/* Blurs are computed in floats: good to 1e-6 of the pixels, and the answer moves by less. */
static void occlusion_is_what_hidden_pictures_show(void **state)
{
    (void)state;
    static mdf_real unet[32 * 32 * 3], vision[28 * 28 * 3];
    mdf_error err = {0};
    mdf_occluder o;
    mdf_explanation e;
    open_model(NULL, true);
    must(mdf_occluder_new(&o, &g.graph, g.model, &g.batch, true, &err), &err);
    must(mdf_explain_occlusion(&e, &o, all_allowed, LABEL, &err), &err);
    mdf_occluder_free(&o);
    assert_int_equal(e.side[0], 16);
    const double plain = explained(NULL, true);
    int above = 0;
    for (int cell = 0; cell < 256; cell += 11) {
        hide_by_hand(unet, g.unet_image, 32, cell);
        hide_by_hand(vision, g.vision_image, 28, cell);
        g.batch.unet_image = unet;
        g.batch.vision_image = vision;
        const double drop = plain - explained(NULL, true);
        g.batch.unet_image = g.unet_image;
        g.batch.vision_image = g.vision_image;
        const double want = drop > 0 ? drop : 0;
        above += want > 1e-4;
        if (fabs((double)e.map[0][cell] - want) > 2e-6) {
            fail_msg("cell %d: %.9g, by hand %.9g", cell, (double)e.map[0][cell], want);
        }
    }
    assert_true(above > 1); /* there was something to be seen */
    mdf_explanation_free(&e);
    golden_close(&g);
}

/* --- joining --- */

static void cells_take_what_lies_in_them(void **state)
{
    (void)state;
    const float four[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    const float three[9] = {0, 3, 0, 0, 0, 0, 0, 0, 9};
    float out[16];
    mdf_heat_resample(out, 2, four, 4);
    assert_true(out[0] == 14 && out[1] == 22 && out[2] == 46 && out[3] == 54);
    mdf_heat_resample(out, 2, three, 3); /* the middle column is shared half and half */
    assert_true(fabsf(out[0] - 1.5f) < 1e-6f && fabsf(out[1] - 1.5f) < 1e-6f);
    assert_true(fabsf(out[2]) < 1e-6f && fabsf(out[3] - 9) < 1e-6f);
    mdf_heat_resample(out, 4, (float[]){4, 8, 12, 16}, 2);
    assert_true(out[0] == 1 && out[1] == 1 && out[2] == 2 && out[5] == 1 && out[15] == 4);
}

static void depths_are_joined_as_asked(void **state)
{
    (void)state;
    float one[4] = {10, 0, 0, 5};
    float two[4] = {0, 2, 0, 1};
    mdf_explanation e = {.side = {0, 2, 2}, .map = {NULL, one, two}};
    mdf_error err = {0};
    float out[4];
    must(mdf_heat_of(out, 2, &e, &(mdf_heat_join){.depth = 0}, &err), &err);
    assert_true(fabsf(out[0] - 1) < 1e-6f && fabsf(out[1] - 0.2f) < 1e-6f); /* 10, 2, 0, 6 */
    assert_true(fabsf(out[3] - 0.6f) < 1e-6f);
    must(mdf_heat_of(out, 2, &e, &(mdf_heat_join){.joining = MDF_HEAT_SCALED}, &err), &err);
    assert_true(fabsf(out[0] - 1) < 1e-6f && fabsf(out[1] - 1) < 1e-6f); /* 1, 1, 0, 1 */
    assert_true(fabsf(out[3] - 1) < 1e-6f);
    must(mdf_heat_of(out, 2, &e, &(mdf_heat_join){.depth = 2}, &err), &err);
    assert_true(out[0] == 0 && fabsf(out[1] - 1) < 1e-6f && fabsf(out[3] - 0.5f) < 1e-6f);
    assert_int_equal(mdf_heat_side(&e, 3), 0);
    assert_int_equal(mdf_heat_side(&e, 0), 2);
    assert_int_equal(mdf_heat_side(&(mdf_explanation){.side = {0, 256, 16}}, 0), 64);
}

/* Of four depths the three deepest count, each in units of its mean: 2^3 of all three at the first
 * place, where the shallowest shows nothing, and 2 x 2 x 0.001 at the second. */
static void what_depths_agree_on_is_hottest(void **state)
{
    (void)state;
    float shallow[4] = {0, 0, 0, 9};
    float deep[4] = {3, 3, 0, 0};
    float deeper[4] = {0.5f, 0.5f, 0, 0};
    float deepest[4] = {7, 0, 7, 0};
    float nothing[4] = {0};
    mdf_explanation e = {.side = {0, 2, 2, 2, 2}, .map = {NULL, shallow, deep, deeper, deepest}};
    const mdf_heat_join join = {.joining = MDF_HEAT_AGREED};
    mdf_error err = {0};
    float out[4];
    must(mdf_heat_of(out, 2, &e, &join, &err), &err);
    const double most = pow(2.001, 3);
    assert_true(fabsf(out[0] - 1) < 1e-6f);
    assert_true(fabs((double)out[1] - cbrt(2.001 * 2.001 * 0.001 / most)) < 1e-5);
    assert_true(fabs((double)out[2] - cbrt(2.001 * 0.001 * 0.001 / most)) < 1e-5);
    assert_true(fabs((double)out[3] - cbrt(1e-9 / most)) < 1e-5);
    must(mdf_heat_of(out, 2, &e, &(mdf_heat_join){.depth = 4, .joining = MDF_HEAT_AGREED}, &err),
         &err);
    assert_true(out[0] == 1 && out[1] == 0 && out[2] == 1 && out[3] == 0); /* that depth alone */
    e.map[3] = nothing; /* says nothing of any place: the other two decide */
    must(mdf_heat_of(out, 2, &e, &join, &err), &err);
    assert_true(fabs((double)out[1] - sqrt(0.001 / 2.001)) < 1e-5);
    e.map[2] = e.map[4] = nothing;
    must(mdf_heat_of(out, 2, &e, &join, &err), &err);
    assert_true(out[0] == 0 && out[1] == 0 && out[2] == 0 && out[3] == 0);
}

/* Half a cell of 16 x 16 is 2 of 64 places: variance 4 is eight passes of 1 2 1, whose weights are
 * the binomials of 16: 12870, 11440, 8008 from the middle. 2 x 2 is coarse enough, as above. */
static void fine_maps_are_smoothed(void **state)
{
    (void)state;
    enum { FINE = 64, AT = 30 * FINE + 30 };
    static float one[FINE * FINE];
    static float out[FINE * FINE];
    mdf_explanation e = {.side = {0, FINE}, .map = {NULL, one}};
    mdf_error err = {0};
    one[AT] = 3;
    must(mdf_heat_of(out, FINE, &e, &(mdf_heat_join){.depth = 0}, &err), &err);
    assert_true(fabsf(out[AT] - 1) < 1e-6f);
    assert_true(fabsf(out[AT + 1] - 11440.0f / 12870) < 1e-5f);
    assert_true(fabsf(out[AT - 2 * FINE] - 8008.0f / 12870) < 1e-5f);
    assert_true(fabsf(out[AT + FINE + 2] - 11440.0f / 12870 * 8008 / 12870) < 1e-5f);
    for (int i = 0; i < FINE * FINE; i++) {
        one[i] = 3; /* edges lose nothing */
    }
    must(mdf_heat_of(out, FINE, &e, &(mdf_heat_join){.depth = 0}, &err), &err);
    for (int i = 0; i < FINE * FINE; i++) {
        assert_true(fabsf(out[i] - 1) < 1e-5f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_what_differences_make_them),
        cmocka_unit_test(the_classifier_of_the_picture_is_explained_too),
        cmocka_unit_test(a_model_of_pictures_alone_is_explained),
        cmocka_unit_test(an_efficientnet_is_explained),
        cmocka_unit_test(what_cannot_be_explained_is_said),
        cmocka_unit_test(occlusion_is_what_hidden_pictures_show),
        cmocka_unit_test(cells_take_what_lies_in_them),
        cmocka_unit_test(fine_maps_are_smoothed),
        cmocka_unit_test(depths_are_joined_as_asked),
        cmocka_unit_test(what_depths_agree_on_is_hottest),
    };
    return cmocka_run_group_tests_name("engine/explain", tests, NULL, NULL);
}
