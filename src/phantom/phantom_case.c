/* The facts of a phantom case: who, which eye, where things are and how it was photographed. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "phantom/phantom_draw.h"

typedef struct label_row {
    const char *name;
    int picture_group;
    mdf_phantom_text_group text_group;
} label_row;

static const label_row labels[MDF_PHANTOM_LABEL_COUNT] = {
    [MDF_PHANTOM_NORMAL] = {"normal", 0, PHANTOM_TEXT_SCREENING},
    [MDF_PHANTOM_DR] = {"dr", 1, PHANTOM_TEXT_SCREENING},
    [MDF_PHANTOM_GLAUCOMA] = {"glaucoma", 2, PHANTOM_TEXT_PRESSURE},
    [MDF_PHANTOM_AMD] = {"amd", 3, PHANTOM_TEXT_OLD_AGE},
    [MDF_PHANTOM_CATARACT] = {"cataract", 4, PHANTOM_TEXT_OLD_AGE},
    [MDF_PHANTOM_RETINITIS_PIGMENTOSA] = {"retinitis_pigmentosa", 5, PHANTOM_TEXT_NIGHT},
    [MDF_PHANTOM_STARGARDT] = {"stargardt", 3, PHANTOM_TEXT_YOUNG},
};

const char *mdf_phantom_label_name(mdf_phantom_label label)
{
    return (unsigned)label < MDF_PHANTOM_LABEL_COUNT ? labels[label].name : "";
}

bool mdf_phantom_label_parse(const char *name, mdf_phantom_label *label)
{
    for (int i = 0; i < MDF_PHANTOM_LABEL_COUNT; i++) {
        if (strcmp(name, labels[i].name) == 0) {
            *label = (mdf_phantom_label)i;
            return true;
        }
    }
    return false;
}

mdf_phantom_separation mdf_phantom_pair(mdf_phantom_label a, mdf_phantom_label b)
{
    if (labels[a].picture_group == labels[b].picture_group) {
        return MDF_PHANTOM_BY_TEXT;
    }
    if (labels[a].text_group == labels[b].text_group) {
        return MDF_PHANTOM_BY_PICTURE;
    }
    return MDF_PHANTOM_BY_EITHER;
}

/* Where the optic disc and the macula lie. In a right eye the disc is on the right: nasal. */
static void draw_geometry(mdf_phantom_case *c)
{
    mdf_rng r = mdf_rng_new(c->seed, PHANTOM_STREAM_GEOMETRY);
    const float nasal = c->eye == MDF_PHANTOM_RIGHT ? 1.0F : -1.0F;

    c->fov_x = mdf_phantom_range(&r, 0.492F, 0.508F);
    c->fov_y = mdf_phantom_range(&r, 0.492F, 0.508F);
    c->fov_radius = mdf_phantom_range(&r, 0.460F, 0.490F);
    const bool cut = mdf_rng_uniform(&r) < 0.35;
    const float cut_at = mdf_phantom_range(&r, 0.84F, 0.95F);
    c->fov_half_height = cut ? c->fov_radius * cut_at : c->fov_radius;

    /* The camera looks between the macula and a third of the way to the disc. */
    const float apart = mdf_phantom_range(&r, 0.285F, 0.325F);
    const float aim = mdf_phantom_range(&r, 0.00F, 0.36F);
    const float raise = mdf_phantom_range(&r, -0.01F, 0.045F);
    c->macula_x = c->fov_x - nasal * apart * aim;
    c->macula_y = c->fov_y + mdf_phantom_range(&r, -0.025F, 0.035F);
    c->disc_x = c->macula_x + nasal * apart;
    c->disc_y = c->macula_y - raise;
    c->disc_ry = mdf_phantom_range(&r, 0.058F, 0.070F);
    c->disc_rx = c->disc_ry * mdf_phantom_range(&r, 0.86F, 0.97F);
    c->cup_ratio = mdf_phantom_range(&r, 0.20F, 0.48F);
}

/* Pigment and camera: the patient's colour, this photograph's light. */
static void draw_look(mdf_phantom_case *c, uint64_t patient_seed)
{
    /* Fundi range from orange over red-brown to a greyish, darkly pigmented red. */
    static const float hues[4][3] = {
        {0.80F, 0.42F, 0.20F}, {0.74F, 0.33F, 0.15F}, {0.62F, 0.27F, 0.16F}, {0.66F, 0.36F, 0.26F}};
    mdf_rng p = mdf_rng_new(patient_seed, PHANTOM_STREAM_PATIENT);
    mdf_rng r = mdf_rng_new(c->seed, PHANTOM_STREAM_LOOK);
    mdf_phantom_look *look = &c->look;

    const uint32_t a = mdf_rng_below(&p, 4);
    const uint32_t b = mdf_rng_below(&p, 4);
    const float mix = mdf_phantom_range(&p, 0.0F, 1.0F);
    for (int k = 0; k < 3; k++) {
        const float jitter = mdf_phantom_range(&p, 0.94F, 1.06F);
        look->colour[k] = (hues[a][k] * (1.0F - mix) + hues[b][k] * mix) * jitter;
    }
    look->texture = mdf_phantom_range(&p, 0.15F, 0.9F);
    look->crescent = mdf_rng_uniform(&p) < 0.35 ? mdf_phantom_range(&p, 0.3F, 0.8F) : 0.0F;

    look->vignette = mdf_phantom_range(&r, 0.25F, 0.60F);
    look->tilt_x = mdf_phantom_range(&r, -0.14F, 0.14F);
    look->tilt_y = mdf_phantom_range(&r, -0.14F, 0.14F);
    look->gain = mdf_phantom_range(&r, 0.84F, 1.06F);
    look->blur = mdf_phantom_range(&r, 0.0008F, 0.0028F);
    look->haze = mdf_phantom_range(&r, 0.0F, 0.07F);
    look->vessel_width = mdf_phantom_range(&r, 0.92F, 1.10F);
    look->disc_pallor = mdf_phantom_range(&r, 0.0F, 0.25F);
}

/* The signs that are not spots. */
static void apply_label(mdf_phantom_case *c)
{
    mdf_rng r = mdf_rng_new(mdf_rng_mix(c->seed, 77), PHANTOM_STREAM_LOOK);
    const float s = c->severity;
    if (c->label == MDF_PHANTOM_GLAUCOMA) {
        c->cup_ratio = 0.65F + 0.27F * s;
        c->notch = mdf_rng_uniform(&r) < 0.5 ? 0.14F * s : 0.0F;
        c->look.disc_pallor += 0.25F * s;
    } else if (c->label == MDF_PHANTOM_CATARACT) {
        c->look.haze = 0.30F + 0.48F * s;
        c->look.blur += 0.004F + 0.011F * s;
    } else if (c->label == MDF_PHANTOM_RETINITIS_PIGMENTOSA) {
        c->look.vessel_width *= 0.72F - 0.27F * s;
        c->look.disc_pallor = 0.45F + 0.45F * s;
        c->look.periphery_loss = 0.35F + 0.55F * s;
    }
}

void mdf_phantom_case_init(mdf_phantom_case *c, const mdf_phantom_spec *spec)
{
    memset(c, 0, sizeof *c);
    c->label = spec->label;
    c->patient = spec->patient;
    (void)snprintf(c->patient_id, sizeof c->patient_id, "P%04u", spec->patient + 1);
    c->eye = spec->eye;
    c->seed = mdf_rng_mix(spec->seed, (uint64_t)spec->eye + 1);

    mdf_rng p = mdf_rng_new(mdf_rng_mix(spec->seed, 5), PHANTOM_STREAM_PATIENT);
    mdf_rng e = mdf_rng_new(mdf_rng_mix(c->seed, 5), PHANTOM_STREAM_PATIENT);
    const float drawn = mdf_phantom_clamp(
        mdf_phantom_range(&p, 0.2F, 1.0F) + mdf_phantom_range(&e, -0.15F, 0.15F), 0.15F, 1.0F);
    c->severity = spec->severity > 0.0F ? mdf_phantom_clamp(spec->severity, 0.0F, 1.0F) : drawn;
    if (c->label == MDF_PHANTOM_NORMAL) {
        c->severity = 0.0F;
    }

    draw_geometry(c);
    draw_look(c, spec->seed);
    apply_label(c);
    const float flecks = c->label == MDF_PHANTOM_STARGARDT ? 1.0F : 0.0F;
    mdf_phantom_add_signs(c, spec->distinct_maculae ? flecks : -1.0F);
    mdf_phantom_write_text(c, labels[c->label].text_group, spec->seed, spec->every_text);
}

static mdf_phantom_label patient_label(const mdf_phantom_options *opt, uint32_t patient)
{
    if (opt->label_count == 0) {
        return (mdf_phantom_label)(patient % MDF_PHANTOM_LABEL_COUNT);
    }
    return opt->labels[patient % opt->label_count];
}

void mdf_phantom_plan(mdf_phantom_case *c, const mdf_phantom_options *opt, uint32_t index)
{
    const uint32_t patient = index / 2;
    mdf_phantom_case_init(
        c, &(mdf_phantom_spec){.label = patient_label(opt, patient),
                               .seed = mdf_rng_mix(opt->seed, patient),
                               .patient = patient,
                               .eye = index % 2 == 0 ? MDF_PHANTOM_RIGHT : MDF_PHANTOM_LEFT,
                               .distinct_maculae = opt->distinct_maculae,
                               .every_text = opt->every_text});
}

/* 15 % of n, and one at least when n is large enough for three sides. */
static uint32_t held_out(uint32_t n)
{
    const uint32_t share = (uint32_t)(((uint64_t)n * 15 + 50) / 100);
    return n >= 3 && share == 0 ? 1 : share;
}

mdf_status mdf_phantom_splits(const mdf_phantom_options *opt, mdf_phantom_split *split,
                              mdf_error *err)
{
    const uint32_t patients = opt->patients != 0 ? opt->patients : MDF_PHANTOM_PATIENTS;
    uint32_t *members = mdf_alloc(patients, sizeof *members);
    if (members == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the split of %u patients", patients);
    }
    for (int label = 0; label < MDF_PHANTOM_LABEL_COUNT; label++) {
        uint32_t n = 0;
        for (uint32_t p = 0; p < patients; p++) {
            if (patient_label(opt, p) == (mdf_phantom_label)label) {
                members[n++] = p;
            }
        }
        mdf_rng r = mdf_rng_new(mdf_rng_mix(opt->seed, 1000003 + (uint64_t)label), 1);
        for (uint32_t i = n; i > 1; i--) {
            const uint32_t j = mdf_rng_below(&r, i);
            const uint32_t swap = members[i - 1];
            members[i - 1] = members[j];
            members[j] = swap;
        }
        const uint32_t held = held_out(n);
        for (uint32_t i = 0; i < n; i++) {
            split[members[i]] = i < held       ? MDF_PHANTOM_VAL
                                : i < 2 * held ? MDF_PHANTOM_TEST
                                               : MDF_PHANTOM_TRAIN;
        }
    }
    mdf_free(members);
    return MDF_OK;
}
