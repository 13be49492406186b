/* Llama models in GGUF files against the same models as transformers has them
 * (tests/golden/gguf_model), and files that say what is not supported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "io/safetensors.h"
#include "language/gguf_vocab.h"
#include "weights/gguf_model.h"

#define GOLDEN MDF_TEST_DATA "/golden/gguf_model/"

typedef struct golden {
    mdf_gguf_files files;
    mdf_gguf_model model;
    mdf_safetensors expect;
} golden;

static void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

static void open_golden(golden *g, const char *gguf, const char *expect)
{
    mdf_error err = {0};
    must(mdf_gguf_files_open(&g->files, &gguf, 1, &err), &err);
    must(mdf_gguf_model_read(&g->model, &g->files, &err), &err);
    must(mdf_safetensors_open(&g->expect, expect, &err), &err);
}

static void close_golden(golden *g)
{
    mdf_safetensors_close(&g->expect);
    mdf_gguf_model_free(&g->model);
    mdf_gguf_files_close(&g->files);
}

static void compare_gate(const mdf_gguf_weight *w, const mdf_st_tensor *t)
{
    float got = 0;
    float want = 0;
    assert_int_equal(w->tensor.dtype, MDF_DTYPE_F32);
    assert_true(mdf_dtype_to_floats(w->tensor.dtype, w->tensor.data, 1, &got));
    assert_true(mdf_dtype_to_floats(t->dtype, t->data, 1, &want));
    if (!(fabsf(got - want) < 2e-6f)) {
        fail_msg("%s: %.9g, not %.9g", t->name, (double)got, (double)want);
    }
}

static void compare(const mdf_gguf_weight *w, const mdf_st_tensor *t)
{
    assert_string_equal(mdf_dtype_name(w->tensor.dtype), mdf_dtype_name(t->dtype));
    assert_int_equal(w->tensor.rank, t->rank);
    assert_int_equal(w->tensor.bytes, t->bytes);
    assert_int_equal(w->tensor.dim[0], t->dim[0]);
    uint8_t *bytes = malloc(t->bytes);
    assert_non_null(bytes);
    mdf_gguf_weight_copy(w, 0, t->dim[0], bytes);
    if (memcmp(bytes, t->data, t->bytes) != 0) {
        fail_msg("%s: other numbers", t->name);
    }
    const int64_t half = t->dim[0] / 2; /* any rows may be asked for */
    const size_t row = t->bytes / (size_t)t->dim[0];
    mdf_gguf_weight_copy(w, half, t->dim[0] - half, bytes);
    assert_memory_equal(bytes, t->data + (size_t)half * row, t->bytes - (size_t)half * row);
    free(bytes);
}

static void check_weights(const golden *g)
{
    size_t seen = 0;
    for (size_t i = 0; i < g->expect.count; i++) {
        const mdf_st_tensor *t = &g->expect.tensor[i];
        if (strcmp(t->name, "inv_freq") == 0) {
            continue;
        }
        const mdf_gguf_weight *w = mdf_gguf_model_find(&g->model, t->name);
        if (w == NULL) {
            fail_msg("%s is not there", t->name);
        } else if (strstr(t->name, "vision_model") != NULL && t->count == 1) {
            compare_gate(w, t);
        } else {
            compare(w, t);
        }
        seen++;
    }
    assert_int_equal(g->model.count, seen);
}

/* docs/MODEL.md's rule with the settings that were found. */
static void check_frequencies(const golden *g)
{
    const mdf_st_tensor *t = mdf_safetensors_find(&g->expect, "inv_freq");
    const mdf_text_config *c = &g->model.text;
    const mdf_rope_scaling *r = &c->rope_scaling;
    const double original = (double)r->original_max_position_embeddings;
    assert_true(r->enabled && r->factor == 8);
    for (size_t i = 0; i < t->count; i++) {
        float want;
        memcpy(&want, t->data + 4 * i, 4);
        const double f = pow(c->rope_theta, -(double)i / (double)t->count);
        const double wave = 6.283185307179586 / f;
        double s =
            (original / wave - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
        s = fmin(fmax(s, 0), 1);
        const double got = (1 - s) * f / r->factor + s * f;
        if (!(fabs(got - (double)want) < 1e-5 * (double)want)) {
            fail_msg("frequency %zu: %.9g, not %.9g", i, got, (double)want);
        }
    }
}

static void a_llama_comes_out_as_it_was(void **state)
{
    (void)state;
    golden g;
    open_golden(&g, GOLDEN "llama.gguf", GOLDEN "llama.safetensors");
    check_weights(&g);
    check_frequencies(&g);
    const mdf_text_config *c = &g.model.text;
    assert_int_equal(c->num_hidden_layers, 2);
    assert_int_equal(c->hidden_size, 32);
    assert_int_equal(c->intermediate_size, 64);
    assert_int_equal(c->num_attention_heads, 2);
    assert_int_equal(c->num_key_value_heads, 1);
    assert_int_equal(c->vocab_size, 40);
    assert_int_equal(c->max_position_embeddings, 256);
    assert_true(c->rms_norm_eps == 1e-5);
    assert_true(c->rope_theta == 500000);
    assert_true(c->rope_scaling.low_freq_factor == 1 && c->rope_scaling.high_freq_factor == 4);
    assert_int_equal(c->rope_scaling.original_max_position_embeddings, 8192);
    assert_false(c->tie_word_embeddings);
    assert_int_equal(c->bos_token_id, 0);
    assert_int_equal(c->pad_token_id, 4);
    assert_int_equal(c->eos_count, 1);
    assert_int_equal(c->eos_token_id[0], 1);
    assert_int_equal(c->cross_count, 0);
    assert_int_equal(g.model.vision.hidden_size, 0);
    close_golden(&g);
}

static void a_vision_model_comes_out_as_it_was(void **state)
{
    (void)state;
    golden g;
    open_golden(&g, GOLDEN "mllama.gguf", GOLDEN "mllama.safetensors");
    check_weights(&g);
    check_frequencies(&g);
    const mdf_text_config *c = &g.model.text;
    const mdf_vision_config *v = &g.model.vision;
    assert_int_equal(c->cross_count, 2);
    assert_true(c->cross_attention_layers[0] == 1 && c->cross_attention_layers[1] == 3);
    assert_int_equal(c->vocab_size, 40);
    assert_int_equal(v->hidden_size, 32);
    assert_int_equal(v->intermediate_size, 64);
    assert_int_equal(v->num_hidden_layers, 2);
    assert_int_equal(v->num_global_layers, 1);
    assert_int_equal(v->attention_heads, 2);
    assert_int_equal(v->image_size, 28);
    assert_int_equal(v->patch_size, 14);
    assert_int_equal(v->num_channels, 3);
    assert_int_equal(v->max_num_tiles, 4);
    assert_int_equal(v->intermediate_count, 2);
    assert_int_equal(v->intermediate_layers_indices[1], 1);
    assert_true(v->norm_eps == 1e-5);
    close_golden(&g);
}

static void the_tokenizer_is_given_as_arrays(void **state)
{
    (void)state;
    mdf_error err = {0};
    mdf_gguf_files f;
    mdf_gguf_vocab v;
    const char *path = GOLDEN "llama.gguf";
    must(mdf_gguf_files_open(&f, &path, 1, &err), &err);
    must(mdf_gguf_vocab_read(&v, &f, &err), &err);
    assert_int_equal(v.tokens, 40);
    assert_int_equal(v.merges, 2);
    assert_memory_equal(v.token[39].text, "t37", 3);
    assert_int_equal(v.token[39].len, 3);
    assert_memory_equal(v.merge[1].text, "t 2", 3);
    assert_memory_equal(v.pre.text, "llama-bpe", v.pre.len);
    assert_memory_equal(v.model.text, "gpt2", 4);
    assert_int_equal(v.template.len, 0);
    assert_int_equal(v.type[1], MDF_GGUF_TOKEN_CONTROL);
    assert_int_equal(v.type[2], MDF_GGUF_TOKEN_NORMAL);
    assert_true(v.bos == 0 && v.eos == 1 && v.pad == 4 && v.eot == -1 && v.unknown == -1);
    assert_false(v.add_bos);
    mdf_gguf_vocab_free(&v);
    mdf_gguf_files_close(&f);
    path = MDF_TEST_DATA "/golden/gguf/tiny.gguf";
    must(mdf_gguf_files_open(&f, &path, 1, &err), &err);
    assert_int_equal(mdf_gguf_vocab_read(&v, &f, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, MDF_TEST_DATA "/golden/gguf/tiny.gguf: it has no tokenizer");
    mdf_gguf_files_close(&f);
}

/* --- changed files --- */

/* Puts n bytes behind the text `after` and skip more bytes; in its place if skip is OVER. */
enum { OVER = -1 };

static void patch(uint8_t *bytes, size_t len, const char *after, int skip, const void *new,
                  size_t n)
{
    const size_t m = strlen(after);
    const size_t on = skip == OVER ? 0 : m + (size_t)skip;
    for (size_t i = 0; i + m <= len && i + on + n <= len; i++) {
        if (memcmp(bytes + i, after, m) == 0) {
            memcpy(bytes + i + on, new, n);
            return;
        }
    }
    fail_msg("%s is not in the file", after);
}

static mdf_status read_patched(const char *name, const char *after, int skip, const void *new,
                               size_t n, mdf_error *err)
{
    char path[1024];
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)snprintf(path, sizeof path, GOLDEN "%s", name);
    must(mdf_file_read(path, 1 << 20, &bytes, &len, err), err);
    patch(bytes, len, after, skip, new, n);
    mdf_gguf file;
    must(mdf_gguf_parse(&file, bytes, len, "w.gguf", err), err);
    const mdf_gguf_files f = {&file, 1};
    mdf_gguf_model m;
    const mdf_status status = mdf_gguf_model_read(&m, &f, err);
    mdf_gguf_model_free(&m);
    mdf_gguf_close(&file);
    mdf_free(bytes);
    return status;
}

#define EXPECT(name, after, skip, bytes, code, sentence)                                           \
    do {                                                                                           \
        mdf_error err = {0};                                                                       \
        assert_int_equal(read_patched(name, after, skip, bytes, sizeof(bytes) - 1, &err), code);   \
        assert_string_equal(err.text, sentence);                                                   \
    } while (0)

static void what_is_not_supported_is_named(void **state)
{
    (void)state;
    EXPECT("llama.gguf", "general.architecture", 12, "qwen2", MDF_ERR_FORMAT,
           "w.gguf: models of the architecture \"qwen2\" are not supported, only llama and mllama");
    EXPECT("../gguf/adapter.gguf", "general.architecture", 12, "llama", MDF_ERR_FORMAT,
           "w.gguf is an adapter, not a model: adapters are read from PEFT's folders only");
    EXPECT("../gguf/adapter.gguf", "general.type", 12, "imatrix", MDF_ERR_FORMAT,
           "w.gguf is no model: its \"general.type\" is \"imatrix\"");
    EXPECT("../gguf/adapter.gguf", "general.type", 0, "\11\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0",
           MDF_ERR_FORMAT, /* three numbers */
           "w.gguf: \"general.type\" is not a text");
    EXPECT("llama.gguf", "general.archi", 0, "x", MDF_ERR_FORMAT,
           "w.gguf: \"general.architecture\" is missing");
    EXPECT("llama.gguf", "llama.block_coun", 0, "x", MDF_ERR_FORMAT,
           "w.gguf: \"llama.block_count\" is missing");
    EXPECT("llama.gguf", "llama.block_count", 4, "\0\0\0\0", MDF_ERR_FORMAT,
           "w.gguf: \"llama.block_count\" is 0");
    EXPECT("llama.gguf", "llama.block_count", 4, "\377\377\377\377", MDF_ERR_FORMAT,
           "w.gguf: \"llama.block_count\" is not a whole number from 0 to 2147483647");
    EXPECT("llama.gguf", "llama.block_count", 4, "\1\1\0\0", MDF_ERR_LIMIT,
           "w.gguf: 257 layers, more than 256");
    EXPECT("llama.gguf", "llama.block_count", 4, "\1\0\0\0", MDF_ERR_FORMAT,
           "w.gguf: tensor \"blk.1.attn_k.weight\" does not belong to this kind of model");
    EXPECT("llama.gguf", "llama.rope.dimension_count", 4, "\10\0\0\0", MDF_ERR_FORMAT,
           "w.gguf: \"llama.rope.dimension_count\" = 8 is not supported: it must be "
           "embedding_length / attention.head_count = 16");
    EXPECT("llama.gguf", "llama.attention.layer_norm_rms_epsilon", 4, "\0\0\300\377",
           MDF_ERR_FORMAT,
           "w.gguf: \"llama.attention.layer_norm_rms_epsilon\" is not a positive number");
    EXPECT("llama.gguf", "llama.attention.head_count_kv", 4, "\0\0\0\0", MDF_ERR_SHAPE,
           "w.gguf: tensor \"blk.0.attn_k.weight\" has not the rows of 0 heads of even width");
    EXPECT("llama.gguf", "llama.xxxx.scale_linear", OVER, "llama.rope", MDF_ERR_FORMAT,
           "w.gguf: \"llama.rope.scale_linear\" = 2 is not supported: positions may not be "
           "stretched");
    EXPECT("llama.gguf", "llama.xxxx.scaling.type", OVER, "llama.rope", MDF_ERR_FORMAT,
           "w.gguf: \"llama.rope.scaling.type\" = \"yarn\" is not supported, only Llama 3's "
           "rope_freqs.weight");
    EXPECT("llama.gguf", "llama.xxxxxx_count", OVER, "llama.expert_count", MDF_ERR_FORMAT,
           "w.gguf: \"llama.expert_count\" = 8 is not supported");
    EXPECT("llama.gguf", "blk.0.attn_nor", 0, "x", MDF_ERR_FORMAT,
           "w.gguf: tensor \"blk.0.attn_norx.weight\" does not belong to this kind of model");
    EXPECT("mllama.gguf", "mllama.vision.max_num_tile", 0, "x", MDF_ERR_FORMAT,
           "w.gguf: \"mllama.vision.max_num_tiles\" is missing");
    EXPECT("mllama.gguf", "mllama.attention.cross_attention_layers", 16, "\1\2\0\0", MDF_ERR_FORMAT,
           "w.gguf: \"mllama.attention.cross_attention_layers\": item 0 is no layer");
    EXPECT("mllama.gguf", "v.global.blk.0.attn_", 0, "norm", MDF_ERR_FORMAT,
           "w.gguf: tensor \"v.global.blk.0.attn_norm\" does not belong to this kind of model");
    EXPECT("mllama.gguf", "v.blk.0.attn_output.weigh", 0, "x", MDF_ERR_FORMAT,
           "w.gguf: tensor \"v.blk.0.attn_output.weighx\" does not belong to this kind of model");
}

/* Older files of the same layout have other names for some tensors of the tower: its MLP's layers
 * change places, and their shapes tell. */
static void older_names_are_known(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"attn_norm.weight", "ln1.weight"},        {"attn_norm.bias", "ln1.bias"},
        {"ffn_norm.weight", "ln2.weight"},         {"ffn_norm.bias", "ln2.bias"},
        {"ffn_up.weight", "ffn_down.weight"},      {"ffn_up.bias", "ffn_down.bias"},
        {"ffn_down.weight", "ffn_up.weight"},      {"ffn_down.bias", "ffn_up.bias"},
        {"attn_output.weight", "attn_out.weight"},
    };
    mdf_error err = {0};
    golden g;
    open_golden(&g, GOLDEN "mllama.gguf", GOLDEN "mllama.safetensors");
    static char renamed[64][64];
    size_t count = 0;
    for (size_t i = 0; i < g.files.file[0].count; i++) {
        mdf_gguf_tensor *t = &g.files.file[0].tensor[i];
        const size_t prefix = strncmp(t->name, "v.blk.", 6) == 0           ? 8
                              : strncmp(t->name, "v.global.blk.", 13) == 0 ? 15
                                                                           : strlen(t->name);
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            if (strcmp(t->name + prefix, names[k][0]) == 0) {
                (void)snprintf(renamed[count], 64, "%.*s%s", (int)prefix, t->name, names[k][1]);
                t->name = renamed[count++];
                break;
            }
        }
    }
    assert_int_equal(count, 27);
    mdf_gguf_model_free(&g.model);
    must(mdf_gguf_model_read(&g.model, &g.files, &err), &err);
    check_weights(&g);
    close_golden(&g);
}

static void out_of_memory_is_reported(void **state)
{
    (void)state;
    mdf_error err = {0};
    mdf_gguf_files f;
    const char *path = GOLDEN "mllama.gguf";
    must(mdf_gguf_files_open(&f, &path, 1, &err), &err);
    for (long n = 1; n < 20; n++) {
        mdf_gguf_model m;
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_gguf_model_read(&m, &f, &err);
        mdf_alloc_fail_after(0);
        if (status == MDF_OK) {
            assert_true(n > 2);
            mdf_gguf_model_free(&m);
            mdf_gguf_files_close(&f);
            return;
        }
        assert_int_equal(status, MDF_ERR_NOMEM);
        assert_null(m.weight);
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_llama_comes_out_as_it_was),
        cmocka_unit_test(a_vision_model_comes_out_as_it_was),
        cmocka_unit_test(the_tokenizer_is_given_as_arrays),
        cmocka_unit_test(what_is_not_supported_is_named),
        cmocka_unit_test(older_names_are_known),
        cmocka_unit_test(out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
