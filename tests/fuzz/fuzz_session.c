/* Any bytes as a saved conversation, whatever its sum says: no crash; what is accepted has tokens
 * of the model and fits into a decoder. The corpus is of a random model with this configuration. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/session_file.h"

static const char settings[] =
    "{\"model_type\": \"mdf_mllm\", \"image_token_index\": 264, \"tokenizer\": \"bytes\","
    "\"text_config\": {\"vocab_size\": 264, \"hidden_size\": 16, \"num_hidden_layers\": 2,"
    "\"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"intermediate_size\": 16,"
    "\"cross_attention_layers\": [1], \"max_position_embeddings\": 256},"
    "\"vision_config\": {\"hidden_size\": 8, \"num_hidden_layers\": 1, \"num_global_layers\": 1,"
    "\"attention_heads\": 2, \"intermediate_size\": 8, \"image_size\": 28, \"patch_size\": 14,"
    "\"max_num_tiles\": 4, \"intermediate_layers_indices\": [0]},"
    "\"unet_config\": {\"base\": 4, \"image_size\": 32, \"norm_groups\": 2,"
    "\"masks\": [\"vessel\"]},"
    "\"fusion_config\": {\"map\": [[1, 1]], \"grid\": 2, \"cells\": 1, \"attend\": \"branch\","
    "\"film_direction\": \"unet_to_text\", \"film_hidden\": 8},"
    "\"answer_config\": {\"labels\": []}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static mdf_mllm *model;
static mdf_kernels *kernels;

/* Only declared: a decoder that restores needs no weights. */
static void make_model(void)
{
    static mdf_config c;
    check(mdf_config_parse(&c, settings, sizeof settings - 1, "settings", NULL) == MDF_OK);
    check(mdf_mllm_declare(&model, &c, NULL) == MDF_OK);
    check(mdf_kernels_new(&kernels, NULL, NULL) == MDF_OK);
}

static void restore(const mdf_saved *s, const mdf_safetensors *st)
{
    mdf_decoder *d = NULL;
    check(s->tokens >= 1 && s->tokens <= 256 && s->turns >= 2);
    check(s->photos <= MDF_MAX_PHOTOS && (s->photos > 0) == (s->main > 0));
    int32_t token[256];
    mdf_saved_tokens(s, st, token);
    for (int64_t i = 0; i < s->tokens; i++) {
        check(token[i] >= 0 && token[i] < mdf_config_embedding_rows(&model->config));
    }
    for (size_t i = 0; i < s->turns; i++) {
        check(mdf_saved_turn(st, i) != NULL);
    }
    check(mdf_decoder_new(&d, model, kernels, s->tokens, MDF_DTYPE_F16, NULL) == MDF_OK);
    check(mdf_saved_restore(s, st, d, NULL) == MDF_OK);
    const mdf_decoder_memory m = mdf_decoder_remembers(d);
    check(mdf_decoder_used(d) == s->tokens && m.image->count == s->main + s->spare);
    mdf_decoder_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_safetensors st;
    mdf_saved saved;
    if (model == NULL) {
        make_model();
    }
    if (mdf_safetensors_parse(&st, data, size, "fuzz", NULL) != MDF_OK) {
        return 0;
    }
    (void)!mdf_saved_check_sum(&st, NULL);
    if (mdf_saved_check(&saved, &st, &model->config, MDF_DTYPE_F16, NULL) == MDF_OK) {
        restore(&saved, &st);
    }
    mdf_safetensors_close(&st);
    return 0;
}
