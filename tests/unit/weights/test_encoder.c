/* EfficientNet-lite0's checkpoint: names, a file that is whole, and files that are not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nn/efficientnet.h"
#include "support/folder.h"
#include "weights/encoder.h"

enum { TENSORS = 240, NAME = 128 };

static mdf_params params; /* of the net that is written, then of the one that is read */

static void the_checkpoints_names_are_lukemelas(void **state)
{
    (void)state;
    static const char *const pair[][2] = {
        {"unet.encoder.stem.weight", "_conv_stem.weight"},
        {"unet.encoder.stem.norm.mean", "_bn0.running_mean"},
        {"unet.encoder.head.norm.bias", "_bn1.bias"},
        {"unet.encoder.block.0.depthwise.weight", "_blocks.0._depthwise_conv.weight"},
        {"unet.encoder.block.3.expand.norm.var", "_blocks.3._bn0.running_var"},
        {"unet.encoder.block.12.depthwise.norm.weight", "_blocks.12._bn1.weight"},
        {"unet.encoder.block.15.project.norm.bias", "_blocks.15._bn2.bias"},
    };
    char source[NAME];
    for (size_t i = 0; i < sizeof pair / sizeof pair[0]; i++) {
        assert_true(mdf_encoder_source(pair[i][0], source));
        assert_string_equal(source, pair[i][1]);
    }
    static const char *const other[] = {"unet.dec.0.up.weight",
                                        "unet.encoder.block.x.expand.weight",
                                        "unet.encoder.block.3.squeeze.weight",
                                        "unet.encoder.stem.bias",
                                        "unet.encoder.",
                                        ""};
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        assert_false(mdf_encoder_source(other[i], source));
    }
}

static void make_net(bool numbers)
{
    mdf_efficientnet net;
    assert_int_equal(mdf_params_init(&params, NULL), MDF_OK);
    mdf_efficientnet_declare(&net, &params);
    assert_int_equal(mdf_params_allocate(&params, false, NULL), MDF_OK);
    assert_int_equal(params.count, TENSORS);
    for (int64_t i = 0; i < params.total; i++) {
        params.data[i] = numbers ? (mdf_real)(i % 1021) / 512 : -1;
    }
}

/* What is wrong with the file. */
typedef struct fault {
    const char *without; /* a tensor that it lacks, by its name in the checkpoint */
    const char *extra;   /* one more tensor */
    bool other_shape;    /* of the first tensor */
    bool nan;            /* in the last one */
    const char *want;    /* part of the sentence; NULL: the file is fine */
} fault;

static void write_and_read(const fault *f)
{
    static mdf_st_entry entry[TENSORS + 1];
    static char name[TENSORS + 1][NAME];
    char path[128];
    size_t n = 0;
    mdf_error err = {0};
    test_folder folder;
    test_folder_make(&folder);
    (void)snprintf(path, sizeof path, "%s/encoder.safetensors", folder.path);
    make_net(true);
    for (size_t i = 0; i < TENSORS; i++) {
        const mdf_tensor *t = &params.item[i]->tensor;
        assert_true(mdf_encoder_source(t->name, name[n]));
        entry[n] = (mdf_st_entry){.name = name[n], .rank = t->rank, .data = t->data};
        entry[n].dtype = MDF_DTYPE_F32;
        memcpy(entry[n].dim, t->dim, sizeof entry[n].dim);
        n += f->without == NULL || strcmp(name[n], f->without) != 0;
    }
    if (f->other_shape) {
        entry[0].dim[0] -= 1;
    }
    if (f->nan) {
        params.item[TENSORS - 1]->tensor.data[0] = NAN;
    }
    if (f->extra != NULL) {
        entry[n++] = (mdf_st_entry){
            .name = f->extra, .rank = 1, .dim = {4}, .dtype = MDF_DTYPE_F32, .data = params.data};
    }
    assert_int_equal(mdf_safetensors_save(path, entry, n, NULL, 0, &err), MDF_OK);
    mdf_params_free(&params);
    make_net(false);
    const mdf_status status = mdf_encoder_load(&params, path, &err);
    if (f->want == NULL) {
        assert_int_equal(status, MDF_OK);
        for (size_t i = 0; i < TENSORS; i++) { /* there are gaps between them */
            const mdf_param *p = params.item[i];
            for (int64_t j = 0; j < mdf_tensor_count(&p->tensor); j++) {
                assert_true(p->tensor.data[j] == (mdf_real)((p->offset + j) % 1021) / 512);
            }
        }
    } else {
        assert_true(status != MDF_OK);
        if (strstr(err.text, f->want) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", f->want, err.text);
        }
    }
    mdf_params_free(&params);
    test_folder_remove(&folder);
}

static void a_whole_file_sets_every_parameter(void **state)
{
    (void)state;
    write_and_read(&(fault){.extra = "_fc.bias"});
    write_and_read(&(fault){.extra = "_blocks.3._bn1.num_batches_tracked"});
}

static void what_is_wrong_with_a_file_is_named(void **state)
{
    (void)state;
    write_and_read(
        &(fault){.without = "_blocks.7._bn2.running_var", .want = "_blocks.7._bn2.running_var"});
    write_and_read(&(fault){.extra = "_blocks.16._expand_conv.weight",
                            .want = "has no tensor _blocks.16._expand_conv.weight"});
    write_and_read(&(fault){.other_shape = true, .want = "_conv_stem.weight"});
    write_and_read(&(fault){.nan = true, .want = "is not finite"});
}

static void a_plain_encoder_has_no_published_weights(void **state)
{
    (void)state;
    mdf_params none;
    mdf_error err = {0};
    mdf_safetensors file = {.path = "x"};
    assert_int_equal(mdf_params_init(&none, NULL), MDF_OK);
    assert_int_equal(mdf_encoder_set(&none, &file, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "plain"));
    mdf_params_free(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checkpoints_names_are_lukemelas),
        cmocka_unit_test(a_whole_file_sets_every_parameter),
        cmocka_unit_test(what_is_wrong_with_a_file_is_named),
        cmocka_unit_test(a_plain_encoder_has_no_published_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
