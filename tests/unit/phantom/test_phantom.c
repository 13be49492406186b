/* Phantom cases and pictures: what is promised in phantom/phantom.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "phantom/phantom.h"

#define SIDE   128
#define PIXELS (SIDE * SIDE)

typedef struct picture {
    mdf_phantom_case c;
    uint8_t rgb[PIXELS * 3];
    uint8_t vessel[PIXELS];
    uint8_t lesion[PIXELS];
    uint8_t disc[PIXELS];
    uint8_t cup[PIXELS];
} picture;

static void draw(picture *p, mdf_phantom_spec spec)
{
    mdf_error err = {0};
    mdf_phantom_case_init(&p->c, &spec);
    if (mdf_phantom_render(&p->c, SIDE, p->rgb,
                           &(mdf_phantom_masks){p->vessel, p->lesion, p->disc, p->cup},
                           &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
}

static picture *new_picture(mdf_phantom_spec spec)
{
    picture *p = calloc(1, sizeof *p);
    assert_non_null(p);
    draw(p, spec);
    return p;
}

static size_t area(const uint8_t *mask)
{
    size_t n = 0;
    for (size_t i = 0; i < PIXELS; i++) {
        n += mask[i] != 0;
    }
    return n;
}

static bool same_pictures(const picture *a, const picture *b)
{
    return memcmp(a->rgb, b->rgb, sizeof a->rgb) == 0 &&
           memcmp(a->vessel, b->vessel, sizeof a->vessel) == 0 &&
           memcmp(a->lesion, b->lesion, sizeof a->lesion) == 0;
}

static bool same_words(const mdf_phantom_case *a, const mdf_phantom_case *b)
{
    return a->age == b->age && a->female == b->female && strcmp(a->text, b->text) == 0;
}

static float luma(const picture *p, int x, int y)
{
    const uint8_t *c = p->rgb + 3 * (y * SIDE + x);
    return 0.3F * (float)c[0] + 0.6F * (float)c[1] + 0.1F * (float)c[2];
}

/* Mean brightness between two distances (fractions of the side) from a point. */
static float mean_ring(const picture *p, float cx, float cy, float inner, float outer)
{
    float sum = 0.0F;
    int n = 0;
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            const float dx = ((float)x + 0.5F) / SIDE - cx;
            const float dy = ((float)y + 0.5F) / SIDE - cy;
            const float rho = hypotf(dx, dy);
            if (rho >= inner && rho < outer) {
                sum += luma(p, x, y);
                n++;
            }
        }
    }
    assert_true(n > 0);
    return sum / (float)n;
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
    (void)state;
    for (int label = 0; label < MDF_PHANTOM_LABEL_COUNT; label++) {
        const mdf_phantom_spec spec = {.label = (mdf_phantom_label)label, .seed = 11};
        picture *a = new_picture(spec);
        picture *b = new_picture(spec);
        assert_true(same_pictures(a, b));
        assert_true(same_words(&a->c, &b->c));
        assert_int_equal(a->c.lesion_count, b->c.lesion_count);
        free(a);
        free(b);
    }
}

static void another_seed_and_the_other_eye_give_other_pictures(void **state)
{
    (void)state;
    for (int label = 0; label < MDF_PHANTOM_LABEL_COUNT; label++) {
        const mdf_phantom_label l = (mdf_phantom_label)label;
        picture *a = new_picture((mdf_phantom_spec){.label = l, .seed = 1});
        picture *b = new_picture((mdf_phantom_spec){.label = l, .seed = 2});
        picture *c =
            new_picture((mdf_phantom_spec){.label = l, .seed = 1, .eye = MDF_PHANTOM_LEFT});
        assert_memory_not_equal(a->rgb, b->rgb, sizeof a->rgb);
        assert_memory_not_equal(a->vessel, b->vessel, sizeof a->vessel);
        assert_memory_not_equal(a->rgb, c->rgb, sizeof a->rgb);
        assert_int_equal(a->c.age, c->c.age); /* one person */
        assert_int_equal(a->c.female, c->c.female);
        free(a);
        free(b);
        free(c);
    }
}

/* Brightness of a spot as large as a disc over that of the retina around it. */
static float stands_out(const picture *p, float x, float y)
{
    return mean_ring(p, x, y, 0.0F, 0.055F) / mean_ring(p, x, y, 0.085F, 0.125F);
}

static void the_disc_is_nasal_and_bright_and_the_macula_is_dark(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        for (int eye = 0; eye < 2; eye++) {
            picture *p = new_picture((mdf_phantom_spec){.seed = seed, .eye = (mdf_phantom_eye)eye});
            const mdf_phantom_case *c = &p->c;
            /* In a right eye the nose is on the right of the picture. */
            assert_true(eye == MDF_PHANTOM_RIGHT ? c->disc_x > c->fov_x + 0.15F
                                                 : c->disc_x < c->fov_x - 0.15F);
            /* Not only on paper: a spot stands out where the disc should be, not opposite. */
            const float disc = stands_out(p, c->disc_x, c->disc_y);
            assert_true(disc > 1.15F);
            assert_true(disc > 1.1F * stands_out(p, 2.0F * c->fov_x - c->disc_x, c->disc_y));
            const float fovea = mean_ring(p, c->macula_x, c->macula_y, 0.0F, 0.02F);
            assert_true(fovea < 0.9F * mean_ring(p, c->macula_x, c->macula_y, 0.11F, 0.15F));
            free(p);
        }
    }
}

static void outside_the_field_of_view_is_dark_and_unmarked(void **state)
{
    (void)state;
    for (int label = 0; label < MDF_PHANTOM_LABEL_COUNT; label++) {
        picture *p = new_picture(
            (mdf_phantom_spec){.label = (mdf_phantom_label)label, .seed = 5, .severity = 1.0F});
        for (int y = 0; y < SIDE; y++) {
            for (int x = 0; x < SIDE; x++) {
                const float dx = ((float)x + 0.5F) / SIDE - p->c.fov_x;
                const float dy = ((float)y + 0.5F) / SIDE - p->c.fov_y;
                const float beyond =
                    fmaxf(hypotf(dx, dy) - p->c.fov_radius, fabsf(dy) - p->c.fov_half_height);
                const int at = y * SIDE + x;
                if (beyond * SIDE > 1.0F) {
                    assert_true(luma(p, x, y) < 12.0F); /* black and some noise */
                    assert_int_equal(p->vessel[at], 0);
                    assert_int_equal(p->lesion[at], 0);
                }
                assert_true(p->vessel[at] == 0 || p->vessel[at] == 255);
                assert_true(p->lesion[at] == 0 || p->lesion[at] == 255);
            }
        }
        free(p);
    }
}

static void only_labels_with_local_signs_have_a_lesion_mask(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        for (int label = 0; label < MDF_PHANTOM_LABEL_COUNT; label++) {
            picture *p =
                new_picture((mdf_phantom_spec){.label = (mdf_phantom_label)label, .seed = seed});
            const bool none = label == MDF_PHANTOM_NORMAL || label == MDF_PHANTOM_CATARACT;
            assert_int_equal(area(p->lesion) == 0, none);
            assert_true(area(p->vessel) > PIXELS / 100);
            assert_true(area(p->vessel) < PIXELS / 3);
            free(p);
        }
    }
}

/* The outline wobbles by 3 % of the radius and the pixel of the edge is one of about 12: a fifth of
 * the area is room for both. */
static void the_disc_is_an_ellipse_and_holds_the_cup(void **state)
{
    (void)state;
    for (int label = 0; label < MDF_PHANTOM_LABEL_COUNT; label++) {
        picture *p = new_picture((mdf_phantom_spec){.label = (mdf_phantom_label)label, .seed = 5});
        const double disc = 3.14159265 * (double)p->c.disc_rx * (double)p->c.disc_ry * PIXELS;
        const double ratio = (double)p->c.cup_ratio;
        double x = 0;
        double y = 0;
        for (int i = 0; i < PIXELS; i++) {
            assert_true(p->cup[i] == 0 || p->disc[i] == 255);
            x += p->disc[i] != 0 ? i % SIDE + 0.5 : 0;
            y += p->disc[i] != 0 ? (double)(i / SIDE) + 0.5 : 0;
        }
        const double n = (double)area(p->disc);
        assert_true(fabs(n - disc) < 0.2 * disc);
        assert_true(fabs(x / n / SIDE - (double)p->c.disc_x) < 1.0 / SIDE);
        assert_true(fabs(y / n / SIDE - (double)p->c.disc_y) < 1.0 / SIDE);
        assert_true((double)area(p->cup) > 0.5 * ratio * ratio * n && area(p->cup) < area(p->disc));
        free(p);
    }
}

static void marked_pixels_grow_with_the_severity(void **state)
{
    (void)state;
    const mdf_phantom_label with_signs[] = {MDF_PHANTOM_DR, MDF_PHANTOM_GLAUCOMA, MDF_PHANTOM_AMD,
                                            MDF_PHANTOM_RETINITIS_PIGMENTOSA,
                                            MDF_PHANTOM_STARGARDT};
    for (size_t i = 0; i < sizeof with_signs / sizeof with_signs[0]; i++) {
        for (uint64_t seed = 0; seed < 5; seed++) {
            size_t before = 0;
            for (int step = 1; step <= 4; step++) {
                picture *p = new_picture((mdf_phantom_spec){
                    .label = with_signs[i], .seed = seed, .severity = 0.25F * (float)step});
                assert_true(area(p->lesion) > before);
                before = area(p->lesion);
                free(p);
            }
        }
    }
}

/* Vessel pixels against the unmarked ones within 4 pixels, away from the disc. */
static float vessel_contrast(const picture *p)
{
    double inside = 0.0;
    double around = 0.0;
    int n = 0;
    for (int y = 6; y < SIDE - 6; y++) {
        for (int x = 6; x < SIDE - 6; x++) {
            const float ex = ((float)x / SIDE - p->c.disc_x) / p->c.disc_rx;
            const float ey = ((float)y / SIDE - p->c.disc_y) / p->c.disc_ry;
            const float out = hypotf((float)x / SIDE - p->c.fov_x, (float)y / SIDE - p->c.fov_y);
            if (p->vessel[y * SIDE + x] == 0 || ex * ex + ey * ey < 2.0F ||
                out > p->c.fov_radius - 0.06F ||
                fabsf((float)y / SIDE - p->c.fov_y) > p->c.fov_half_height - 0.06F) {
                continue;
            }
            double sum = 0.0;
            int m = 0;
            for (int v = y - 4; v <= y + 4; v++) {
                for (int u = x - 4; u <= x + 4; u++) {
                    if (p->vessel[v * SIDE + u] == 0) {
                        sum += (double)luma(p, u, v);
                        m++;
                    }
                }
            }
            if (m > 0) {
                inside += (double)luma(p, x, y);
                around += sum / m;
                n++;
            }
        }
    }
    assert_true(n > 100);
    return (float)((around - inside) / around);
}

static void vessels_are_darker_than_what_is_around_them(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        picture *normal = new_picture((mdf_phantom_spec){.seed = seed});
        picture *hazy = new_picture(
            (mdf_phantom_spec){.label = MDF_PHANTOM_CATARACT, .seed = seed, .severity = 0.2F});
        picture *blind = new_picture(
            (mdf_phantom_spec){.label = MDF_PHANTOM_CATARACT, .seed = seed, .severity = 1.0F});
        /* Thin vessels of one pixel are half paint, half retina: a twentieth is seen clearly. */
        assert_true(vessel_contrast(normal) > 0.05F);
        assert_true(vessel_contrast(hazy) > 0.0F);
        /* A haze of 0.4 leaves 0.6 of the contrast at most and blur takes more; of 0.78, 0.22. */
        assert_true(vessel_contrast(hazy) < 0.6F * vessel_contrast(normal));
        assert_true(vessel_contrast(blind) < 0.22F * vessel_contrast(normal));
        free(blind);
        free(normal);
        free(hazy);
    }
}

static void the_cup_and_the_vessels_follow_the_label(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        for (int label = 0; label < MDF_PHANTOM_LABEL_COUNT; label++) {
            mdf_phantom_case c;
            mdf_phantom_case_init(
                &c, &(mdf_phantom_spec){.label = (mdf_phantom_label)label, .seed = seed});
            assert_true((c.cup_ratio > 0.6F) == (label == MDF_PHANTOM_GLAUCOMA));
            assert_true((c.look.haze > 0.2F) == (label == MDF_PHANTOM_CATARACT));
            assert_true((c.look.vessel_width < 0.8F) ==
                        (label == MDF_PHANTOM_RETINITIS_PIGMENTOSA));
        }
    }
}

static void a_pair_told_by_text_has_the_same_pictures(void **state)
{
    (void)state;
    int pairs = 0;
    for (int a = 0; a < MDF_PHANTOM_LABEL_COUNT; a++) {
        for (int b = 0; b < a; b++) {
            if (mdf_phantom_pair((mdf_phantom_label)a, (mdf_phantom_label)b) !=
                MDF_PHANTOM_BY_TEXT) {
                continue;
            }
            pairs++;
            for (uint64_t seed = 0; seed < 5; seed++) {
                picture *p = new_picture((mdf_phantom_spec){
                    .label = (mdf_phantom_label)a, .seed = seed, .every_text = true});
                picture *q = new_picture((mdf_phantom_spec){
                    .label = (mdf_phantom_label)b, .seed = seed, .every_text = true});
                assert_true(same_pictures(p, q));
                assert_string_not_equal(p->c.text, q->c.text);
                free(p);
                free(q);
            }
        }
    }
    assert_true(pairs >= 1);
}

static void a_pair_told_by_the_picture_has_the_same_words(void **state)
{
    (void)state;
    int pairs = 0;
    for (int a = 0; a < MDF_PHANTOM_LABEL_COUNT; a++) {
        for (int b = 0; b < a; b++) {
            if (mdf_phantom_pair((mdf_phantom_label)a, (mdf_phantom_label)b) !=
                MDF_PHANTOM_BY_PICTURE) {
                continue;
            }
            pairs++;
            for (uint64_t seed = 0; seed < 5; seed++) {
                picture *p =
                    new_picture((mdf_phantom_spec){.label = (mdf_phantom_label)a, .seed = seed});
                picture *q =
                    new_picture((mdf_phantom_spec){.label = (mdf_phantom_label)b, .seed = seed});
                assert_true(same_words(&p->c, &q->c));
                assert_memory_not_equal(p->rgb, q->rgb, sizeof p->rgb);
                free(p);
                free(q);
            }
        }
    }
    assert_true(pairs >= 2);
}

static void other_pairs_differ_in_both(void **state)
{
    (void)state;
    for (int a = 0; a < MDF_PHANTOM_LABEL_COUNT; a++) {
        for (int b = 0; b < a; b++) {
            assert_int_equal(mdf_phantom_pair((mdf_phantom_label)a, (mdf_phantom_label)b),
                             mdf_phantom_pair((mdf_phantom_label)b, (mdf_phantom_label)a));
            if (mdf_phantom_pair((mdf_phantom_label)a, (mdf_phantom_label)b) !=
                MDF_PHANTOM_BY_EITHER) {
                continue;
            }
            picture *p = new_picture(
                (mdf_phantom_spec){.label = (mdf_phantom_label)a, .seed = 3, .every_text = true});
            picture *q = new_picture(
                (mdf_phantom_spec){.label = (mdf_phantom_label)b, .seed = 3, .every_text = true});
            assert_memory_not_equal(p->rgb, q->rgb, sizeof p->rgb);
            assert_string_not_equal(p->c.text, q->c.text);
            free(p);
            free(q);
        }
    }
}

static void age_alone_separates_amd_from_stargardt(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        mdf_phantom_case old;
        mdf_phantom_case young;
        mdf_phantom_case_init(&old, &(mdf_phantom_spec){.label = MDF_PHANTOM_AMD, .seed = seed});
        mdf_phantom_case_init(
            &young, &(mdf_phantom_spec){.label = MDF_PHANTOM_STARGARDT, .seed = seed + 1000});
        assert_true(old.age >= 50);
        assert_true(young.age < 50);
    }
}

static void distinct_maculae_have_round_drusen_or_long_flecks(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        for (int old = 0; old < 2; old++) {
            mdf_phantom_case c;
            mdf_phantom_case_init(
                &c, &(mdf_phantom_spec){.label = old ? MDF_PHANTOM_AMD : MDF_PHANTOM_STARGARDT,
                                        .seed = seed,
                                        .distinct_maculae = true});
            for (size_t i = 0; i < c.lesion_count; i++) {
                if (c.lesions[i].sign == MDF_PHANTOM_DEPOSIT) {
                    assert_true(old ? c.lesions[i].aspect < 1.5F : c.lesions[i].aspect > 2.0F);
                }
            }
        }
    }
}

static bool holds_word(const char *text, const char *word)
{
    const size_t n = strlen(word);
    for (; *text != '\0'; text++) {
        size_t i = 0;
        while (i < n && tolower((unsigned char)text[i]) == word[i]) {
            i++;
        }
        if (i == n) {
            return true;
        }
    }
    return false;
}

static void text_names_the_eye_and_never_the_diagnosis(void **state)
{
    (void)state;
    const char *const forbidden[] = {
        "normal",     "healthy",   "retinopathy", "glaucoma", "macular", "cataract", "degenerat",
        "pigmentosa", "retinitis", "stargardt",   "drusen",   "fleck",   "amd",      "lens"};
    int empty = 0;
    for (int i = 0; i < 1400; i++) {
        mdf_phantom_case c;
        const mdf_phantom_eye eye = i % 2 == 0 ? MDF_PHANTOM_RIGHT : MDF_PHANTOM_LEFT;
        mdf_phantom_case_init(
            &c, &(mdf_phantom_spec){.label = (mdf_phantom_label)(i % MDF_PHANTOM_LABEL_COUNT),
                                    .seed = (uint64_t)i,
                                    .eye = eye});
        if (c.text[0] == '\0') {
            empty++;
            continue;
        }
        assert_non_null(strstr(c.text, eye == MDF_PHANTOM_RIGHT ? " Right eye." : " Left eye."));
        assert_non_null(strstr(c.text, c.female ? "-year-old female." : "-year-old male."));
        assert_int_equal(atoi(c.text), c.age);
        assert_null(strchr(c.text, '%'));
        for (size_t k = 0; k < sizeof forbidden / sizeof forbidden[0]; k++) {
            if (holds_word(c.text, forbidden[k])) {
                fail_msg("\"%s\" gives the label away: %s", c.text, forbidden[k]);
            }
        }
    }
    /* 70 expected of 1400, standard deviation 8: five of them either way. */
    assert_in_range(empty, 30, 110);
}

static void label_names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < MDF_PHANTOM_LABEL_COUNT; i++) {
        mdf_phantom_label back = MDF_PHANTOM_LABEL_COUNT;
        assert_true(mdf_phantom_label_parse(mdf_phantom_label_name((mdf_phantom_label)i), &back));
        assert_int_equal(back, i);
    }
    mdf_phantom_label untouched = MDF_PHANTOM_DR;
    assert_false(mdf_phantom_label_parse("myopia", &untouched));
    assert_int_equal(untouched, MDF_PHANTOM_DR);
}

static void every_size_draws_and_absurd_sizes_are_refused(void **state)
{
    (void)state;
    mdf_phantom_case c;
    mdf_error err = {0};
    uint8_t one[1];
    mdf_phantom_case_init(&c, &(mdf_phantom_spec){.label = MDF_PHANTOM_DR, .severity = 1.0F});
    const int sides[] = {MDF_PHANTOM_MIN_SIDE_PX, 65, 301};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        const size_t pixels = (size_t)sides[i] * (size_t)sides[i];
        uint8_t *rgb = malloc(pixels * 3);
        uint8_t *lesion = malloc(pixels);
        assert_int_equal(
            mdf_phantom_render(&c, sides[i], rgb, &(mdf_phantom_masks){.lesion = lesion}, &err),
            MDF_OK);
        assert_non_null(memchr(lesion, 255, pixels)); /* small signs survive small pictures */
        free(rgb);
        free(lesion);
    }
    assert_int_equal(mdf_phantom_render(&c, MDF_PHANTOM_MIN_SIDE_PX - 1, one, NULL, &err),
                     MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "31 pixels"));
    assert_int_equal(mdf_phantom_render(&c, MDF_PHANTOM_MAX_SIDE_PX + 1, one, NULL, &err),
                     MDF_ERR_ARG);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    picture *p = new_picture((mdf_phantom_spec){.seed = 1});
    for (long n = 1; n <= 6; n++) {
        mdf_error err = {0};
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_phantom_render(
            &p->c, SIDE, p->rgb, &(mdf_phantom_masks){p->vessel, p->lesion, p->disc, p->cup}, &err);
        mdf_alloc_fail_after(0);
        assert_int_equal(status, MDF_ERR_NOMEM);
        assert_non_null(strstr(err.text, "128 x 128"));
    }
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(another_seed_and_the_other_eye_give_other_pictures),
        cmocka_unit_test(the_disc_is_nasal_and_bright_and_the_macula_is_dark),
        cmocka_unit_test(outside_the_field_of_view_is_dark_and_unmarked),
        cmocka_unit_test(only_labels_with_local_signs_have_a_lesion_mask),
        cmocka_unit_test(the_disc_is_an_ellipse_and_holds_the_cup),
        cmocka_unit_test(marked_pixels_grow_with_the_severity),
        cmocka_unit_test(vessels_are_darker_than_what_is_around_them),
        cmocka_unit_test(the_cup_and_the_vessels_follow_the_label),
        cmocka_unit_test(a_pair_told_by_text_has_the_same_pictures),
        cmocka_unit_test(a_pair_told_by_the_picture_has_the_same_words),
        cmocka_unit_test(other_pairs_differ_in_both),
        cmocka_unit_test(age_alone_separates_amd_from_stargardt),
        cmocka_unit_test(distinct_maculae_have_round_drusen_or_long_flecks),
        cmocka_unit_test(text_names_the_eye_and_never_the_diagnosis),
        cmocka_unit_test(label_names_go_both_ways),
        cmocka_unit_test(every_size_draws_and_absurd_sizes_are_refused),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests_name("data/phantom", tests, NULL, NULL);
}
