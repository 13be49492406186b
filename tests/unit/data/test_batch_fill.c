/* What a model reads of samples: pixels in the encoder's own normalisation, what is left of a text,
 * and the labels that a case may have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "data/batch_fill.h"

#define TINY MDF_TEST_DATA "/../presets/tiny.json"

enum { SIDE = 64, CASES = 40 };

typedef struct setup {
    mdf_config config;
    mdf_tokenizer *tokenizer;
    mdf_label_tree *tree;
    mdf_batch_buffer buffer;
    uint8_t px[SIDE * SIDE * 3]; /* white */
    mdf_manifest_case info[CASES];
    mdf_sample item[CASES];
    mdf_samples samples;
    size_t index[CASES];
} setup;

static setup world;

static void begin(const char *text)
{
    setup *s = &world;
    *s = (setup){0};
    assert_int_equal(mdf_config_load(&s->config, TINY, NULL), MDF_OK);
    assert_int_equal(mdf_config_set(&s->config, "labels=normal,dr,glaucoma", NULL), MDF_OK);
    memset(s->px, 255, sizeof s->px);
    for (size_t i = 0; i < CASES; i++) {
        s->info[i] =
            (mdf_manifest_case){.file_name = "a.png", .text = text, .source = (int)(i % 2)};
        s->item[i] = (mdf_sample){.info = &s->info[i], .label = (int)(i % 2)};
        s->item[i].image = (mdf_image){.width = SIDE, .height = SIDE, .rgb = s->px};
        s->index[i] = i;
    }
    s->samples = (mdf_samples){.item = s->item, .count = CASES};
}

static const mdf_batch *fill(bool augment)
{
    setup *s = &world;
    const char *label[] = {"normal", "dr", "glaucoma"};
    assert_int_equal(mdf_tokenizer_new_bytes(&s->tokenizer, s->config.image_token_index, NULL),
                     MDF_OK);
    assert_int_equal(mdf_label_tree_new(&s->tree, s->tokenizer, label, 3, NULL), MDF_OK);
    assert_int_equal(mdf_batch_buffer_new(&s->buffer, &s->config, s->tree, CASES, NULL), MDF_OK);
    assert_int_equal(mdf_batch_fill(&s->buffer, &s->config, &s->samples, s->index, CASES,
                                    &(mdf_batch_options){.augment = augment, .seed = 11}, NULL),
                     MDF_OK);
    return &s->buffer.batch;
}

static void end(void)
{
    mdf_batch_buffer_free(&world.buffer);
    mdf_label_tree_free(world.tree);
    mdf_tokenizer_free(world.tokenizer);
}

/* White is (1 - mean) / std: of the published tower's red for a plain encoder, (255 - 127) / 128
 * for the one that starts from published weights; the tower's picture stays as it is. */
static void pixels_are_normalised_as_the_encoder_wants(void **state)
{
    (void)state;
    const float red = (1.0F - 0.48145466F) / 0.26862954F;
    const float lite = 1;
    for (int i = 0; i < 2; i++) {
        begin("");
        world.config.unet.encoder = i == 0 ? MDF_ENCODER_PLAIN : MDF_ENCODER_EFFICIENTNET_LITE0;
        const mdf_batch *b = fill(false);
        const float want = i == 0 ? red : lite;
        assert_true(b->unet_image[0] > want - 1e-5F && b->unet_image[0] < want + 1e-5F);
        assert_true(b->vision_image[0] > red - 1e-5F && b->vision_image[0] < red + 1e-5F);
        end();
    }
}

/* Does the i-th prompt hold these words? */
static bool says(const mdf_batch *b, size_t i, const char *words)
{
    const size_t n = strlen(words);
    size_t at = 0;
    for (size_t j = 0; j < i; j++) {
        at += (size_t)b->prompt_len[j];
    }
    for (size_t j = at; j + n <= at + (size_t)b->prompt_len[i]; j++) {
        size_t same = 0;
        while (same < n && b->prompt[j + same] == (uint8_t)words[same]) {
            same++;
        }
        if (same == n) {
            return true;
        }
    }
    return false;
}

static void sentences_are_left_out_one_by_one(void **state)
{
    (void)state;
    size_t first = 0;
    size_t second = 0;
    size_t both = 0;
    size_t none = 0;
    begin("Age 61. No pain.");
    world.config.train.augment.flip = false;
    world.config.train.text_drop = 0;
    world.config.train.sentence_drop = 0.5;
    const mdf_batch *b = fill(true);
    for (size_t i = 0; i < CASES; i++) {
        const bool age = says(b, i, "Age 61.");
        const bool pain = says(b, i, "No pain.");
        first += age && !pain;
        second += pain && !age;
        both += age && pain;
        none += !age && !pain;
        assert_true(age || pain || says(b, i, world.config.answer.missing_text));
    }
    /* each has probability 1/4: of 40, none at all happens once in 100,000 */
    assert_true(first > 0 && second > 0 && both > 0 && none > 0);
    assert_int_equal(first + second + both + none, CASES);
    end();
}

static void validation_reads_the_whole_text(void **state)
{
    (void)state;
    begin("Age 61. No pain.");
    world.config.train.text_drop = 1;
    world.config.train.sentence_drop = 1;
    const mdf_batch *b = fill(false);
    for (size_t i = 0; i < CASES; i++) {
        assert_true(says(b, i, "Age 61. No pain."));
    }
    end();
}

static void a_mirrored_text_loses_sentences_too(void **state)
{
    (void)state;
    size_t left = 0;
    size_t right = 0;
    size_t missing = 0;
    begin("Left eye.");
    world.config.train.augment.flip = true;
    world.config.train.text_drop = 0;
    world.config.train.sentence_drop = 0.5;
    const mdf_batch *b = fill(true);
    for (size_t i = 0; i < CASES; i++) {
        left += says(b, i, "Left eye.");
        right += says(b, i, "Right eye.");
        missing += says(b, i, world.config.answer.missing_text);
    }
    assert_true(left > 0 && right > 0 && missing > 0);
    assert_int_equal(left + right + missing, CASES);
    end();
}

/* Folder 0 has class 0 only, folder 1 class 1 only. */
static void cases_may_have_the_labels_of_their_folder(void **state)
{
    (void)state;
    begin("");
    assert_null(fill(false)->allowed);
    end();
    begin("");
    assert_int_equal(mdf_samples_know_labels(&world.samples, 3, NULL), MDF_OK);
    const mdf_batch *b = fill(false);
    for (size_t i = 0; i < CASES; i++) {
        const uint8_t want[3] = {i % 2 == 0, i % 2 == 1, 0};
        assert_memory_equal(b->allowed + 3 * i, want, 3);
    }
    end();
    mdf_free(world.samples.known);
}

/* What a mask does not know counts nothing; what boxes leave out counts little. */
static void pixels_of_masks_have_weights(void **state)
{
    (void)state;
    static uint8_t px[4] = {0, MDF_MASK_UNKNOWN, 255, 0};
    begin("");
    assert_int_equal(mdf_config_set(&world.config, "masks=disc,lesion", NULL), MDF_OK);
    world.item[0].mask[MDF_MASK_DISC] = (mdf_grey){.width = 2, .height = 2, .px = px};
    world.item[0].partial[MDF_MASK_DISC] = world.item[0].only_centre = true;
    world.item[0].mask[MDF_MASK_LESION] = (mdf_grey){.width = 2, .height = 2, .px = px};
    world.item[0].partial[MDF_MASK_LESION] = true;
    world.item[0].has_mask = true;
    const mdf_batch_options how = {.masks = true, .seed = 11};
    const mdf_batch *b = fill(false);
    assert_int_equal(
        mdf_batch_fill(&world.buffer, &world.config, &world.samples, world.index, 1, &how, NULL),
        MDF_OK);
    const size_t side = (size_t)world.config.unet.image_size;
    const size_t corner[4] = {0, side - 1, side * (side - 1), side * side - 1};
    static const mdf_real set[4] = {0, 0, 1, 0};
    static const mdf_real weight[4][2] = {{1, MDF_R(0.2)}, {0, 0}, {1, 1}, {1, MDF_R(0.2)}};
    for (int i = 0; i < 4; i++) {
        for (size_t k = 0; k < 2; k++) {
            assert_true(b->mask[2 * corner[i] + k] == set[i]);
            assert_true(b->mask_weight[2 * corner[i] + k] == weight[i][k]);
        }
    }
    end();
}

/* A case for the disc is the whole picture and teaches no vessels, one for the vessels a part of it
 * and teaches no disc; where nothing is cut all is learned from all. */
static void regions_are_learned_from_the_whole(void **state)
{
    (void)state;
    static uint8_t px[4] = {0, 0, 255, 0};
    static const mdf_mask_name names[2] = {MDF_MASK_DISC, MDF_MASK_VESSEL};
    for (int cut = 0; cut < 2; cut++) {
        begin("");
        assert_int_equal(mdf_config_set(&world.config, "masks=disc,vessel", NULL), MDF_OK);
        const int side = world.config.unet.image_size;
        const size_t bytes = (size_t)side * (size_t)side * 3 * sizeof(mdf_real);
        memset(world.px, 0, sizeof world.px / 2); /* the upper half is dark */
        world.config.train.crop.side = side << cut;
        world.config.train.crop.scale = 0;
        for (int k = 0; k < 2; k++) {
            world.item[0].mask[names[k]] = (mdf_grey){.width = 2, .height = 2, .px = px};
        }
        world.item[0].has_mask = true;
        mdf_real *whole = mdf_alloc(1, bytes);
        memcpy(whole, fill(false)->unet_image, bytes);
        for (int k = 0; k < 2; k++) {
            const mdf_batch_options how = {.masks = true, .seed = 11, .focus = &names[k]};
            assert_int_equal(mdf_batch_fill(&world.buffer, &world.config, &world.samples,
                                            world.index, 1, &how, NULL),
                             MDF_OK);
            const mdf_batch *b = &world.buffer.batch;
            assert_true(b->mask_there[k] == 1);
            assert_true((b->mask_there[1 - k] > 0) == !cut);
            if (cut) {
                assert_int_equal(memcmp(whole, b->unet_image, bytes) == 0, k == 0);
            }
            world.config.unet.region_side = side / 2;
            assert_int_equal(mdf_batch_fill(&world.buffer, &world.config, &world.samples,
                                            world.index, 1, &how, NULL),
                             MDF_OK);
            assert_int_equal(b->unet_side, cut && k == 0 ? side / 2 : side);
            world.config.unet.region_side = 0;
        }
        mdf_free(whole);
        end();
    }
}

/* A haemorrhage is no exudate, whether exudates were boxed in the picture (and may be where no box
 * is) or not. A "lesion" may be either. */
static void kinds_of_lesions_are_told_apart_in_training(void **state)
{
    (void)state;
    static uint8_t left[4] = {255, 0, 255, 0};
    static uint8_t none[4] = {0};
    for (int boxed = 0; boxed < 2; boxed++) {
        begin("");
        assert_int_equal(
            mdf_config_set(&world.config, "masks=haemorrhage,hard_exudate,lesion", NULL), MDF_OK);
        world.item[0].mask[MDF_MASK_HAEMORRHAGE] = (mdf_grey){.width = 2, .height = 2, .px = left};
        world.item[0].partial[MDF_MASK_HAEMORRHAGE] = world.item[0].has_mask = true;
        if (boxed) {
            world.item[0].mask[MDF_MASK_HARD_EXUDATE] =
                (mdf_grey){.width = 2, .height = 2, .px = none};
            world.item[0].partial[MDF_MASK_HARD_EXUDATE] = true;
        }
        const mdf_batch_options training = {.masks = true, .augment = true, .seed = 11};
        const mdf_batch *b = fill(true);
        assert_int_equal(mdf_batch_fill(&world.buffer, &world.config, &world.samples, world.index,
                                        1, &training, NULL),
                         MDF_OK);
        const size_t side = (size_t)world.config.unet.image_size;
        size_t bleeding = 0;
        for (size_t i = 0; i < side * side; i++) {
            const mdf_real *mask = b->mask + 3 * i;
            const mdf_real *weight = b->mask_weight + 3 * i;
            bleeding += mask[0] > 0;
            assert_true(mask[1] == 0);
            assert_true(weight[1] == (mask[0] > 0 ? 1 : boxed ? MDF_R(0.2) : 0));
        }
        assert_in_range(bleeding, 1, side * side - 1);
        assert_true(b->mask_there[0] == 1 && b->mask_there[1] == 1 && b->mask_there[2] == 0);
        const mdf_batch_options validation = {.masks = true, .seed = 11};
        assert_int_equal(mdf_batch_fill(&world.buffer, &world.config, &world.samples, world.index,
                                        1, &validation, NULL),
                         MDF_OK);
        assert_true((b->mask_there[1] > 0) == (boxed != 0));
        end();
    }
}

/* Not in a validation. Where the text is all there is, it is not left out as well. */
static void training_batches_may_lack_their_pictures(void **state)
{
    (void)state;
    for (int training = 0; training < 2; training++) {
        begin("Age 61.");
        world.config.train.picture_drop = 1;
        world.config.train.text_drop = 1;
        const mdf_batch *b = fill(training != 0);
        assert_int_equal(b->unet_image == NULL, training);
        assert_int_equal(b->vision_image == NULL, training);
        assert_int_equal(b->image_at[0] < 0, training);
        assert_true(says(b, 0, "Age 61."));
        end();
    }
}

/* One photograph with two labels, as two samples: neither is held against the other. */
static void labels_of_one_photograph_are_not_compared(void **state)
{
    (void)state;
    begin("");
    world.samples.item[0].after = 1;
    world.samples.item[1].before = 1;
    const mdf_batch *b = fill(false);
    assert_memory_equal(b->allowed, ((uint8_t[]){1, 0, 1}), 3);
    assert_memory_equal(b->allowed + 3, ((uint8_t[]){0, 1, 1}), 3);
    assert_memory_equal(b->allowed + 6, ((uint8_t[]){1, 1, 1}), 3);
    end();
    world.samples.item[0].after = world.samples.item[1].before = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_normalised_as_the_encoder_wants),
        cmocka_unit_test(sentences_are_left_out_one_by_one),
        cmocka_unit_test(validation_reads_the_whole_text),
        cmocka_unit_test(a_mirrored_text_loses_sentences_too),
        cmocka_unit_test(cases_may_have_the_labels_of_their_folder),
        cmocka_unit_test(pixels_of_masks_have_weights),
        cmocka_unit_test(regions_are_learned_from_the_whole),
        cmocka_unit_test(kinds_of_lesions_are_told_apart_in_training),
        cmocka_unit_test(training_batches_may_lack_their_pictures),
        cmocka_unit_test(labels_of_one_photograph_are_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
