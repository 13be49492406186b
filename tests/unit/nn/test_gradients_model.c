/* The whole model in double: its numbers against the PyTorch reference, and the gradient of the
 * total loss against central differences, at random places of every parameter.
 *
 * Reference: 2e-7 of a tensor's largest number is the rounding of the golden file to float32.
 * Differences: with h = 1e-5 truncation and rounding are near 1e-10 of the loss and its third
 * derivative; a parameter's gradient is compared to 1e-6 of its tensor's largest one. */
#include "unit/nn/golden.h"

#include "base/rng.h"

enum { PLACES = 3, TRIES = 8 };

static const double file_rounding = 2e-7;
static const double step = 1e-5;
static const double difference_error = 1e-6;
static const double rounding = 2e-14; /* of the loss: 5 * 2^-52, and sums of thousands of terms */

static mdf_output forward(golden *g)
{
    mdf_error err = {0};
    mdf_graph_reset(&g->graph);
    const mdf_output o = mdf_mllm_forward(&g->graph, g->model, &g->batch, true);
    must(mdf_graph_status(&g->graph, &err), &err);
    return o;
}

static void values_agree_with_the_reference_to_its_last_digit(void **state)
{
    (void)state;
    static golden g;
    golden_open(&g, NULL);
    golden_weights(&g);
    const mdf_output o = forward(&g);
    golden_near(&g.expect, "skip.1", o.fusion.unet.skip[1]->data, file_rounding, 0);
    golden_near(&g.expect, "skip.4", o.fusion.unet.skip[4]->data, file_rounding, 0);
    golden_near(&g.expect, "mid", o.fusion.unet.mid->data, file_rounding, 0);
    golden_near(&g.expect, "scores", o.scores->data, file_rounding, 0);
    golden_near(&g.expect, "mask_logits", o.mask_logits->data, file_rounding, 0);
    golden_near(&g.expect, "loss.class", &(mdf_real){o.label_loss}, file_rounding, 0);
    golden_near(&g.expect, "loss.lm", &(mdf_real){o.lm_loss}, file_rounding, 0);
    golden_near(&g.expect, "loss.mask", &(mdf_real){o.mask_loss}, file_rounding, 0);
    golden_near(&g.expect, "loss.total", o.loss->data, file_rounding, 0);
    golden_close(&g);
}

static void gradients_agree_with_the_reference_to_its_last_digit(void **state)
{
    (void)state;
    static golden g;
    mdf_error err = {0};
    golden_open(&g, NULL);
    golden_weights(&g);
    const mdf_output o = forward(&g);
    must(mdf_graph_backward(&g.graph, o.loss, &err), &err);
    for (size_t i = 0; i < g.model->params.count; i++) {
        char name[320];
        const mdf_tensor *t = &g.model->params.item[i]->tensor;
        (void)snprintf(name, sizeof name, "grad.%s", t->name);
        golden_near(&g.expect, name, t->grad, file_rounding, 1e-12); /* zero by nature */
    }
    golden_close(&g);
}

/* d loss / d *at */
static double difference(golden *g, mdf_real *at, double h)
{
    const double old = *at;
    *at = old + h;
    const double up = forward(g).loss->data[0];
    *at = old - h;
    const double down = forward(g).loss->data[0];
    *at = old;
    return (up - down) / (2 * h);
}

static double largest_of(const mdf_real *x, int64_t n)
{
    double largest = 0;
    for (int64_t i = 0; i < n; i++) {
        largest = fabs(x[i]) > largest ? fabs(x[i]) : largest;
    }
    return largest;
}

/* Tile tables hold zeros for unused slots. Those are no parameters: training leaves them alone, and
 * with another value there the slots would no longer be equal (tests/golden/model/README.md). */
static bool is_constant(const mdf_tensor *t, int64_t at)
{
    return strstr(t->name, "tile_") != NULL && strstr(t->name, "embedding.weight") != NULL &&
           !(fabs(t->data[at]) > 0);
}

/* ReLU and max pooling have kinks: near one, differences of two step sizes disagree, and say
 * nothing about the gradient. Then another place or a smaller step is tried. */
static void check_place(golden *g, const mdf_tensor *t, int64_t first, mdf_rng *rng)
{
    const int64_t n = mdf_tensor_count(t);
    const double largest = largest_of(t->grad, n);
    int64_t at = first;
    for (int i = 0; i < TRIES && !is_constant(t, at); i++) {
        const double h = step / (1 + i);
        const double allowed = difference_error * largest + rounding / h;
        const double want = difference(g, &t->data[at], h);
        if (fabs(t->grad[at] - want) <= allowed) {
            return;
        }
        if (fabs(want - difference(g, &t->data[at], h / 2)) <= allowed) {
            fail_msg("%s[%lld]: %.12g, difference says %.12g (largest %.3g)", t->name,
                     (long long)at, t->grad[at], want, largest);
        }
        at = n <= PLACES ? at : (int64_t)mdf_rng_below(rng, (uint32_t)n);
    }
    if (!is_constant(t, at)) {
        fail_msg("%s: no place without a kink", t->name);
    }
}

static void the_loss_has_the_gradient_that_differences_show(void **state)
{
    (void)state;
    static golden g;
    mdf_error err = {0};
    golden_open(&g, NULL);
    golden_weights(&g);
    const mdf_output o = forward(&g);
    must(mdf_graph_backward(&g.graph, o.loss, &err), &err);
    g.graph.train = false; /* the same numbers without a tape */
    mdf_rng rng = mdf_rng_new(11, 0);
    for (size_t i = 0; i < g.model->params.count; i++) {
        const mdf_tensor *t = &g.model->params.item[i]->tensor;
        const int64_t n = mdf_tensor_count(t);
        for (int k = 0; k < PLACES; k++) {
            const int64_t at = n <= PLACES ? k % n : (int64_t)mdf_rng_below(&rng, (uint32_t)n);
            check_place(&g, t, at, &rng);
        }
    }
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_agree_with_the_reference_to_its_last_digit),
        cmocka_unit_test(gradients_agree_with_the_reference_to_its_last_digit),
        cmocka_unit_test(the_loss_has_the_gradient_that_differences_show),
    };
    return cmocka_run_group_tests_name("gradients_model", tests, NULL, NULL);
}
