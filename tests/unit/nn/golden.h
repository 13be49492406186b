/* The golden case of the whole model (tests/golden/model), read for a test. Header-only, so that
 * the float test and the double-precision one share it. */
#ifndef MDF_TESTS_NN_GOLDEN_H
#define MDF_TESTS_NN_GOLDEN_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/safetensors.h"
#include "language/prompt.h"
#include "nn/mdf_mllm.h"
#include "weights/weights.h"

#define GOLDEN MDF_TEST_DATA "/golden/model/"

typedef struct golden {
    mdf_kernels *kernels;
    mdf_mllm *model;
    mdf_graph graph;
    mdf_tokenizer *tokenizer;
    mdf_label_tree *tree;
    mdf_tree_view view;
    mdf_safetensors cases, expect;
    mdf_batch batch;
    mdf_real unet_image[2 * 32 * 32 * 3], vision_image[2 * 28 * 28 * 3];
    mdf_real mask[2 * 32 * 32 * 2], mask_there[2 * 2];
    int32_t prompt[1024], prompt_len[2], image_at[2], label[2];
} golden;

static inline void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

static inline void golden_numbers(const mdf_safetensors *file, const char *name, mdf_real *out,
                                  size_t count)
{
    mdf_error err = {0};
    const mdf_st_tensor *t = mdf_safetensors_find(file, name);
    assert_non_null(t);
    assert_int_equal(t->count, count);
#ifdef MDF_REAL_DOUBLE
    must(mdf_safetensors_doubles(file, t, out, &err), &err);
#else
    must(mdf_safetensors_floats(file, t, out, &err), &err);
#endif
}

static inline void golden_prompts(golden *g, const mdf_config *c)
{
    mdf_error err = {0};
    const mdf_st_tensor *text = mdf_safetensors_find(&g->cases, "case.0.text");
    char sentence[256] = "";
    memcpy(sentence, text->data, text->bytes);
    const char *texts[2] = {sentence, NULL};
    size_t used = 0;
    for (int i = 0; i < 2; i++) {
        size_t n = 0;
        must(mdf_prompt_build(g->tokenizer, g->prompt + used, 1024 - used, &n, &g->image_at[i],
                              texts[i], c->answer.missing_text, true, &err),
             &err);
        g->prompt_len[i] = (int32_t)n;
        used += n;
    }
}

/* set: changes to the configuration as of --set, ended by NULL; may be NULL. */
static inline void golden_open(golden *g, const char *const *set)
{
    mdf_error err = {0};
    static mdf_config c;
    memset(g, 0, sizeof *g);
    must(mdf_config_load(&c, GOLDEN "config.json", &err), &err);
    for (size_t i = 0; set != NULL && set[i] != NULL; i++) {
        must(mdf_config_set(&c, set[i], &err), &err);
    }
    must(mdf_kernels_new(&g->kernels, NULL, &err), &err);
    must(mdf_mllm_new(&g->model, &c, true, &err), &err);
    must(mdf_graph_init(&g->graph, g->kernels, true, 0, &err), &err);
    must(mdf_safetensors_open(&g->cases, GOLDEN "case.safetensors", &err), &err);
    must(mdf_safetensors_open(&g->expect, GOLDEN "expect.safetensors", &err), &err);
    const char *label[16];
    for (int i = 0; i < c.answer.label_count; i++) {
        label[i] = g->model->config.answer.labels[i];
    }
    must(mdf_tokenizer_new_bytes(&g->tokenizer, c.image_token_index, &err), &err);
    must(mdf_label_tree_new(&g->tree, g->tokenizer, label, c.answer.label_count, &err), &err);
    g->view = (mdf_tree_view){g->tree->nodes,  g->tree->token,  g->tree->depth,  g->tree->mask,
                              g->tree->labels, g->tree->offset, g->tree->source, g->tree->target};
    golden_numbers(&g->cases, "image_unet", g->unet_image, sizeof g->unet_image / sizeof(mdf_real));
    golden_numbers(&g->cases, "image_vision", g->vision_image,
                   sizeof g->vision_image / sizeof(mdf_real));
    golden_numbers(&g->cases, "mask_target", g->mask, sizeof g->mask / sizeof(mdf_real));
    golden_numbers(&g->cases, "mask_weight", g->mask_there, 4);
    memcpy(g->label, mdf_safetensors_find(&g->cases, "labels")->data, sizeof g->label);
    golden_prompts(g, &c);
    g->batch = (mdf_batch){.cases = 2,
                           .unet_image = g->unet_image,
                           .vision_image = g->vision_image,
                           .prompt = g->prompt,
                           .prompt_len = g->prompt_len,
                           .image_at = g->image_at,
                           .tree = &g->view,
                           .label = g->label,
                           .mask = g->mask,
                           .mask_there = g->mask_there};
}

static inline void golden_weights(golden *g)
{
    mdf_error err = {0};
    must(mdf_weights_load(&g->model->params, GOLDEN "model.safetensors", &err), &err);
}

static inline void golden_close(golden *g)
{
    mdf_safetensors_close(&g->cases);
    mdf_safetensors_close(&g->expect);
    mdf_label_tree_free(g->tree);
    mdf_tokenizer_free(g->tokenizer);
    mdf_graph_free(&g->graph);
    mdf_mllm_free(g->model);
    mdf_kernels_free(g->kernels);
}

/* |got - want| <= relative * largest |want| + absolute, for every number. */
static inline void golden_near(const mdf_safetensors *file, const char *name, const mdf_real *got,
                               double relative, double absolute)
{
    const mdf_st_tensor *t = mdf_safetensors_find(file, name);
    if (t == NULL) {
        fail_msg("%s is not in the golden", name);
        return;
    }
    mdf_error err = {0};
    static double want[400000];
    assert_true(t->count <= 400000);
    must(mdf_safetensors_doubles(file, t, want, &err), &err);
    double largest = 0;
    for (size_t i = 0; i < t->count; i++) {
        largest = fabs(want[i]) > largest ? fabs(want[i]) : largest;
    }
    for (size_t i = 0; i < t->count; i++) {
        const double d = fabs((double)got[i] - want[i]);
        if (!(d <= relative * largest + absolute)) {
            fail_msg("%s[%zu]: %.9g, want %.9g (largest %.3g)", name, i, (double)got[i], want[i],
                     largest);
        }
    }
}

#endif
