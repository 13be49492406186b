/* The golden cases of Llama 3.2 Vision (tests/golden/mllama), read for a test. Header-only, so that
 * the float test and the double-precision one share it. */
#ifndef MDF_TESTS_NN_MLLAMA_GOLDEN_H
#define MDF_TESTS_NN_MLLAMA_GOLDEN_H

#include "unit/nn/golden.h"

#define MLLAMA MDF_TEST_DATA "/golden/mllama/"

enum { MLLAMA_CASES = 4, MLLAMA_PICTURES = 8, MLLAMA_TOKENS = 64 };

typedef struct mllama {
    mdf_kernels *kernels;
    mdf_mllm *model;
    mdf_graph graph;
    mdf_safetensors expect;
    const char *name; /* of the case */
    mdf_batch batch;
    mdf_real tiles[16 * 21 * 21 * 3];
    int32_t count[MLLAMA_CASES], ratio[MLLAMA_PICTURES], image_at[MLLAMA_PICTURES];
    int32_t prompt[MLLAMA_TOKENS], prompt_len[MLLAMA_CASES];
    mdf_real trace[5 * MLLAMA_TOKENS * 32];
} mllama;

static inline const mdf_st_tensor *mllama_find(const mllama *m, const char *what)
{
    char key[512];
    (void)snprintf(key, sizeof key, "%s.%s", m->name, what);
    return mdf_safetensors_find(&m->expect, key);
}

/* golden_near for "<case>.<what>". */
static inline void mllama_near(const mllama *m, const char *what, const mdf_real *got,
                               double relative, double absolute)
{
    char key[512];
    (void)snprintf(key, sizeof key, "%s.%s", m->name, what);
    golden_near(&m->expect, key, got, relative, absolute);
}

/* set: changes to the configuration, ended by NULL; may be NULL. */
static inline void mllama_open(mllama *m, const char *model, const char *const *set)
{
    mdf_error err = {0};
    static mdf_config c;
    char path[512];
    memset(m, 0, sizeof *m);
    (void)snprintf(path, sizeof path, MLLAMA "%s.json", model);
    must(mdf_config_load(&c, path, &err), &err);
    for (size_t i = 0; set != NULL && set[i] != NULL; i++) {
        must(mdf_config_set(&c, set[i], &err), &err);
    }
    must(mdf_kernels_new(&m->kernels, NULL, &err), &err);
    must(mdf_mllm_new(&m->model, &c, true, &err), &err);
    must(mdf_graph_init(&m->graph, m->kernels, true, 0, &err), &err);
    (void)snprintf(path, sizeof path, MLLAMA "%s.model.safetensors", model);
    must(mdf_weights_load(&m->model->params, path, &err), &err);
    (void)snprintf(path, sizeof path, MLLAMA "%s.safetensors", model);
    must(mdf_safetensors_open(&m->expect, path, &err), &err);
}

static inline void mllama_close(mllama *m)
{
    mdf_safetensors_close(&m->expect);
    mdf_graph_free(&m->graph);
    mdf_mllm_free(m->model);
    mdf_kernels_free(m->kernels);
}

/* Tokens, pictures and tiles of sample i, behind those that are there. */
static inline bool mllama_add(mllama *m, int i, size_t *tokens, size_t *pictures, size_t *numbers)
{
    char what[32];
    (void)snprintf(what, sizeof what, "%d.text", i);
    const mdf_st_tensor *text = mllama_find(m, what);
    if (text == NULL) {
        return false;
    }
    assert_true(i < MLLAMA_CASES && *tokens + text->count <= MLLAMA_TOKENS);
    int32_t *token = m->prompt + *tokens;
    memcpy(token, text->data, text->bytes);
    m->prompt_len[i] = (int32_t)text->count;
    *tokens += text->count;
    (void)snprintf(what, sizeof what, "%d.ratio", i);
    const mdf_st_tensor *ratio = mllama_find(m, what);
    if (ratio == NULL) {
        return true;
    }
    assert_true(*pictures + ratio->count <= MLLAMA_PICTURES);
    memcpy(m->ratio + *pictures, ratio->data, ratio->bytes);
    m->count[i] = (int32_t)ratio->count;
    for (int32_t j = 0; j < m->prompt_len[i]; j++) {
        if (token[j] == m->model->config.image_token_index) {
            m->image_at[(*pictures)++] = j;
        }
    }
    (void)snprintf(what, sizeof what, "%d.tiles", i);
    const mdf_st_tensor *tiles = mllama_find(m, what);
    assert_non_null(tiles);
    assert_true(*numbers + tiles->count <= sizeof m->tiles / sizeof *m->tiles);
    char key[64];
    (void)snprintf(key, sizeof key, "%s.%s", m->name, what);
    golden_numbers(&m->expect, key, m->tiles + *numbers, tiles->count);
    *numbers += tiles->count;
    return true;
}

static inline void mllama_case(mllama *m, const char *name)
{
    size_t tokens = 0;
    size_t pictures = 0;
    size_t numbers = 0;
    int cases = 0;
    m->name = name;
    memset(m->count, 0, sizeof m->count);
    while (mllama_add(m, cases, &tokens, &pictures, &numbers)) {
        cases++;
    }
    assert_true(cases > 0);
    m->batch = (mdf_batch){.cases = cases,
                           .vision_image = pictures == 0 ? NULL : m->tiles,
                           .image_count = m->count,
                           .aspect_ratio_id = m->ratio,
                           .image_at = m->image_at,
                           .prompt = m->prompt,
                           .prompt_len = m->prompt_len,
                           .trace = m->trace};
}

static inline mdf_output mllama_forward(mllama *m)
{
    mdf_error err = {0};
    mdf_graph_reset(&m->graph);
    const mdf_output o = mdf_mllm_forward(&m->graph, m->model, &m->batch, false);
    must(mdf_graph_status(&m->graph, &err), &err);
    return o;
}

static inline mdf_tensor *mllama_logits(mllama *m, const mdf_output *o)
{
    mdf_error err = {0};
    mdf_tensor *y = mdf_text_logits(&m->graph, &m->model->text, o->states);
    must(mdf_graph_status(&m->graph, &err), &err);
    return y;
}

/* Mean negative log-probability of the labels, each predicted by the row before it. */
static inline mdf_tensor *mllama_loss(mllama *m, const mdf_output *o)
{
    static int32_t label[MLLAMA_TOKENS];
    const mdf_st_tensor *want = mllama_find(m, "0.labels");
    assert_non_null(want);
    const int32_t *from = (const int32_t *)(const void *)want->data;
    for (size_t i = 0; i < want->count; i++) {
        int32_t next = -1;
        if (i + 1 < want->count) {
            memcpy(&next, from + i + 1, sizeof next);
        }
        label[i] = next < 0 ? -1 : next;
    }
    return mdf_cross_entropy(&m->graph, mllama_logits(m, o), label, NULL, 0, NULL);
}

#endif
