/* Trainings of adapters: what moves, what stays, and that a run can be resumed. */
#include "io/safetensors.h"
#include "support/training.h"

static const char *const adapters[] = {"lora.r=2",
                                       "lora_alpha=4",
                                       "lr_lora=0.01",
                                       "lora_dropout=0.2",
                                       "lora.target_modules=[\"q_proj\", \"down_proj\"]",
                                       "gradient_checkpointing=true",
                                       "ema=0.9",
                                       NULL};

static void a_stopped_run_resumes_to_the_same_bits(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch whole = {0};
    watch part = {.stop_at = 3}; /* in the middle of an epoch */
    watch rest = {0};
    must(train("whole", adapters, "val", false, &whole, &err), &err);
    assert_int_equal(train("parts", adapters, "val", false, &part, &err), MDF_ERR_STOPPED);
    must(train("parts", adapters, "val", true, &rest, &err), &err);
    assert_same_file("whole", "parts", "model.safetensors");
    assert_same_file("whole", "parts", "checkpoint.safetensors");
    assert_same_file("whole", "parts", "adapter/adapter_model.safetensors");
}

/* Is the tensor the same in the checkpoints of two runs? */
static bool same(const mdf_safetensors *a, const mdf_safetensors *b, const char *name)
{
    const mdf_st_tensor *x = mdf_safetensors_find(a, name);
    const mdf_st_tensor *y = mdf_safetensors_find(b, name);
    if (x == NULL || y == NULL) {
        fail_msg("%s is not in a checkpoint", name);
        return false;
    }
    assert_int_equal(x->bytes, y->bytes);
    return memcmp(x->data, y->data, x->bytes) == 0;
}

/* Two trainings of different length begin with the same numbers. */
static void only_adapters_unet_and_fusion_are_trained(void **state)
{
    (void)state;
    const char *longer[16];
    size_t n = 0;
    for (; adapters[n] != NULL; n++) {
        longer[n] = adapters[n];
    }
    longer[n] = "epochs=3";
    longer[n + 1] = NULL;
    mdf_error err = {0};
    watch w = {0};
    must(train("longer", longer, "val", false, &w, &err), &err);
    mdf_safetensors file[2];
    const char *const run[2] = {"whole", "longer"};
    for (int i = 0; i < 2; i++) {
        char *dir = in_root(run[i]);
        char *path = mdf_path_join(dir, "checkpoint.safetensors");
        must(mdf_safetensors_open(&file[i], path, &err), &err);
        mdf_free(path);
        mdf_free(dir);
    }
#define LAYER "model.language_model.layers.0."
    static const char *const stays[] = {
        LAYER "self_attn.k_proj.weight",
        LAYER "mlp.down_proj.weight",
        LAYER "input_layernorm.weight",
        "model.language_model.embed_tokens.weight",
        "lm_head.weight",
        "model.vision_model.transformer.layers.0.self_attn.q_proj.weight"};
    static const char *const moves[] = {
        LAYER "self_attn.q_proj.lora_A.weight", LAYER "self_attn.q_proj.lora_B.weight",
        LAYER "mlp.down_proj.lora_B.weight",
        "model.vision_model.transformer.layers.0.self_attn.q_proj.lora_B.weight",
        "unet.enc.1.conv1.weight"};
#undef LAYER
    for (size_t i = 0; i < sizeof stays / sizeof *stays; i++) {
        assert_true(same(&file[0], &file[1], stays[i]));
    }
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        assert_false(same(&file[0], &file[1], moves[i]));
    }
    mdf_safetensors_close(&file[0]);
    mdf_safetensors_close(&file[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_run_resumes_to_the_same_bits),
        cmocka_unit_test(only_adapters_unet_and_fusion_are_trained),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
