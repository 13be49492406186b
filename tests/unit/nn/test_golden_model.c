/* The whole model against the PyTorch reference: tests/golden/model/README.md has the tolerances
 * and their reasons. */
#include "unit/nn/golden.h"

#include "train/optimizer.h"

static const double forward_tolerance = 1e-5;  /* ten times PyTorch's own float32 rounding */
static const double gradient_tolerance = 1e-4; /* sums that nearly cancel */
static const double gradient_floor = 2e-6;

static mdf_output forward(golden *g)
{
    mdf_error err = {0};
    mdf_graph_reset(&g->graph);
    const mdf_output o = mdf_mllm_forward(&g->graph, g->model, &g->batch, true);
    must(mdf_graph_status(&g->graph, &err), &err);
    return o;
}

static void values_agree_with_the_reference(void **state)
{
    (void)state;
    static golden g;
    golden_open(&g, NULL);
    golden_weights(&g);
    const mdf_output o = forward(&g);
    golden_near(&g.expect, "skip.1", o.fusion.unet.skip[1]->data, forward_tolerance, 0);
    golden_near(&g.expect, "skip.4", o.fusion.unet.skip[4]->data, forward_tolerance, 0);
    golden_near(&g.expect, "mid", o.fusion.unet.mid->data, forward_tolerance, 0);
    golden_near(&g.expect, "scores", o.scores->data, forward_tolerance, 0);
    golden_near(&g.expect, "mask_logits", o.mask_logits->data, forward_tolerance, 0);
    const mdf_real parts[3] = {(mdf_real)o.label_loss, (mdf_real)o.lm_loss, (mdf_real)o.mask_loss};
    golden_near(&g.expect, "loss.class", &parts[0], forward_tolerance, 0);
    golden_near(&g.expect, "loss.lm", &parts[1], forward_tolerance, 0);
    golden_near(&g.expect, "loss.mask", &parts[2], forward_tolerance, 0);
    golden_near(&g.expect, "loss.total", o.loss->data, forward_tolerance, 0);
    golden_close(&g);
}

static void every_gradient_agrees_with_the_reference(void **state)
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
        golden_near(&g.expect, name, t->grad, gradient_tolerance, gradient_floor);
    }
    golden_close(&g);
}

static void ten_steps_of_adamw_follow_the_reference(void **state)
{
    (void)state;
    static golden g;
    mdf_error err = {0};
    golden_open(&g, NULL);
    golden_weights(&g);
    mdf_optimizer opt;
    must(mdf_optimizer_new(&opt, &g.model->params, &g.model->config.train, &err), &err);
    mdf_real losses[11];
    for (int i = 0; i < 11; i++) {
        const mdf_output o = forward(&g);
        losses[i] = o.loss->data[0];
        must(mdf_graph_backward(&g.graph, o.loss, &err), &err);
        mdf_optimizer_step(&opt, g.kernels, &g.model->params, &g.model->config.train, 1, 1);
        mdf_params_zero_grad(&g.model->params);
    }
    golden_near(&g.expect, "train.losses", losses, 0, 5e-5); /* 3e-6 is PyTorch's own float error */
    mdf_optimizer_free(&opt);
    golden_close(&g);
}

/* A variant: configuration changes, other weights where the variant brings them. */
static void check_variant(const char *name, const char *const *set)
{
    static golden g;
    mdf_error err = {0};
    mdf_safetensors base;
    mdf_safetensors variants;
    golden_open(&g, set);
    must(mdf_safetensors_open(&base, GOLDEN "model.safetensors", &err), &err);
    must(mdf_safetensors_open(&variants, GOLDEN "variants.safetensors", &err), &err);
    for (size_t i = 0; i < g.model->params.count; i++) {
        mdf_tensor *t = &g.model->params.item[i]->tensor;
        char key[400];
        (void)snprintf(key, sizeof key, "%s.param.%s", name, t->name);
        const bool own = mdf_safetensors_find(&variants, key) != NULL;
        golden_numbers(own ? &variants : &base, own ? key : t->name, t->data,
                       (size_t)mdf_tensor_count(t));
    }
    const mdf_output o = forward(&g);
    char key[400];
    (void)snprintf(key, sizeof key, "%s.scores", name);
    golden_near(&variants, key, o.scores->data, forward_tolerance, 0);
    (void)snprintf(key, sizeof key, "%s.loss.total", name);
    golden_near(&variants, key, o.loss->data, forward_tolerance, 0);
    must(mdf_graph_backward(&g.graph, o.loss, &err), &err);
    size_t seen = 0;
    for (size_t i = 0; i < g.model->params.count; i++) {
        const mdf_tensor *t = &g.model->params.item[i]->tensor;
        (void)snprintf(key, sizeof key, "%s.grad.%s", name, t->name);
        if (mdf_safetensors_find(&variants, key) != NULL) {
            golden_near(&variants, key, t->grad, gradient_tolerance, gradient_floor);
            seen++;
        }
    }
    assert_true(seen > 0);
    mdf_safetensors_close(&base);
    mdf_safetensors_close(&variants);
    golden_close(&g);
}

static void film_from_the_picture_to_the_text_agrees(void **state)
{
    (void)state;
    check_variant("unet_to_text",
                  (const char *[]){"fusion_config.film_direction=unet_to_text", NULL});
}

static void fusion_without_film_agrees(void **state)
{
    (void)state;
    check_variant("film_none", (const char *[]){"fusion_config.film_direction=none", NULL});
}

static void patches_beside_the_image_tokens_agree(void **state)
{
    (void)state;
    check_variant("concat", (const char *[]){"fusion_config.attend=concat",
                                             "fusion_config.map=[[1,2],[3,4]]", NULL});
}

static void summed_label_scores_agree(void **state)
{
    (void)state;
    check_variant("sum",
                  (const char *[]){"answer_config.normalise=sum", "answer_config.scale=1", NULL});
}

static void the_model_without_fusion_agrees(void **state)
{
    (void)state;
    check_variant("empty_map", (const char *[]){"fusion_config.map=[]", NULL});
}

static void closed_gates_give_the_model_without_fusion_bit_for_bit(void **state)
{
    (void)state;
    static golden with;
    static golden without;
    golden_open(&with, NULL);
    golden_weights(&with);
    golden_open(&without, (const char *[]){"fusion_config.map=[]", NULL});
    for (size_t i = 0; i < without.model->params.count; i++) {
        mdf_tensor *t = &without.model->params.item[i]->tensor;
        const mdf_param *from = mdf_params_find(&with.model->params, t->name);
        assert_non_null(from);
        memcpy(t->data, from->tensor.data, (size_t)mdf_tensor_count(t) * sizeof *t->data);
    }
    const mdf_output open = forward(&with);
    const mdf_output plain = forward(&without);
    assert_memory_not_equal(open.scores->data, plain.scores->data, 12 * sizeof(mdf_real));
    for (int i = 0; i < with.model->config.fusion.map_count; i++) {
        with.model->fusion.block[i].gate->data[0] = 0;
    }
    const mdf_output closed = forward(&with);
    assert_memory_equal(closed.scores->data, plain.scores->data, 12 * sizeof(mdf_real));
    golden_close(&with);
    golden_close(&without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_agree_with_the_reference),
        cmocka_unit_test(every_gradient_agrees_with_the_reference),
        cmocka_unit_test(ten_steps_of_adamw_follow_the_reference),
        cmocka_unit_test(film_from_the_picture_to_the_text_agrees),
        cmocka_unit_test(fusion_without_film_agrees),
        cmocka_unit_test(patches_beside_the_image_tokens_agree),
        cmocka_unit_test(summed_label_scores_agree),
        cmocka_unit_test(the_model_without_fusion_agrees),
        cmocka_unit_test(closed_gates_give_the_model_without_fusion_bit_for_bit),
    };
    return cmocka_run_group_tests_name("golden_model", tests, NULL, NULL);
}
