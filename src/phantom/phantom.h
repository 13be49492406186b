/* Phantoms: fundus pictures with known truth, drawn from nothing but a seed.
 *
 * A case is one eye of one invented patient: a label, a severity, the geometry of the eye, a list
 * of disease signs and a clinical sentence. mdf_phantom_render() paints it, with a mask of the
 * vessels and a mask of the signs; mdf_phantom_write() makes a data set folder of many. They are
 * the fixture of tests and demo and of the heat-map check (does the model look at the lesion?), not
 * a model of the clinic: no result on phantoms says anything about patients.
 *
 * The signs in the picture, and what of them the lesion mask marks:
 *   - normal: none; the mask is empty.
 *   - dr: microaneurysms, blot haemorrhages, hard exudates, cotton-wool spots; all are marked.
 *   - glaucoma: a cup/disc ratio of 0.65 to 0.92 and a notched rim; the cup is marked.
 *   - amd, stargardt: yellow deposits from round (drusen) to fish-tailed (flecks), atrophy, pigment
 *     clumps; all are marked.
 *   - cataract: haze, pale, blurred and yellow; it is everywhere, so the mask is empty.
 *   - retinitis_pigmentosa: bone spicules, thin vessels, a pale disc, a grey mid-periphery; the
 *     spicules are marked.
 *
 * What can be known from what. Labels are grouped twice, and a case is drawn from its groups alone:
 *   - Same picture group (amd, stargardt): the deposits do not depend on the label, so these two
 *     can only be told apart with the text (age, family history). With distinct_maculae amd
 *     always has drusen and stargardt always flecks, and the picture tells as well.
 *   - Same text group (normal, dr: a diabetic's screening visit) and (amd, cataract: an old person
 *     who sees less): only the picture tells.
 *   - Every other pair: either will do.
 *
 * mdf_phantom_pair() says which. About one case in twenty has no text (see every_text), so no model
 * can be right about all cases of a BY_TEXT pair.
 *
 * The same options give the same bytes; every number comes from base/rng.h. Coordinates are
 * fractions of the picture's side, x to the right and y down. */
#ifndef MDF_PHANTOM_PHANTOM_H
#define MDF_PHANTOM_PHANTOM_H

#include "base/status.h"

#define MDF_PHANTOM_MAX_LESIONS  640
#define MDF_PHANTOM_MIN_SIDE_PX  32
#define MDF_PHANTOM_MAX_SIDE_PX  2048
#define MDF_PHANTOM_MAX_PATIENTS 250000 /* the table stays below MDF_MAX_TABLE_BYTES */
#define MDF_PHANTOM_PATIENTS     140    /* when none are asked for */
#define MDF_PHANTOM_SIDE_PX      256

typedef enum mdf_phantom_label {
    MDF_PHANTOM_NORMAL,
    MDF_PHANTOM_DR,
    MDF_PHANTOM_GLAUCOMA,
    MDF_PHANTOM_AMD,
    MDF_PHANTOM_CATARACT,
    MDF_PHANTOM_RETINITIS_PIGMENTOSA,
    MDF_PHANTOM_STARGARDT,
    MDF_PHANTOM_LABEL_COUNT
} mdf_phantom_label;

typedef enum mdf_phantom_eye { MDF_PHANTOM_RIGHT, MDF_PHANTOM_LEFT } mdf_phantom_eye; /* OD, OS */

typedef enum mdf_phantom_split {
    MDF_PHANTOM_TRAIN,
    MDF_PHANTOM_VAL,
    MDF_PHANTOM_TEST
} mdf_phantom_split;

typedef enum mdf_phantom_separation {
    MDF_PHANTOM_BY_PICTURE, /* same distribution of age, sex and text */
    MDF_PHANTOM_BY_TEXT,    /* same distribution of pictures */
    MDF_PHANTOM_BY_EITHER
} mdf_phantom_separation;

typedef enum mdf_phantom_sign {
    MDF_PHANTOM_MICROANEURYSM,
    MDF_PHANTOM_HAEMORRHAGE,
    MDF_PHANTOM_EXUDATE,
    MDF_PHANTOM_COTTON_WOOL,
    MDF_PHANTOM_DEPOSIT, /* a druse (aspect 1) or a fleck (aspect about 3) */
    MDF_PHANTOM_ATROPHY,
    MDF_PHANTOM_PIGMENT,
    MDF_PHANTOM_SPICULE,
    MDF_PHANTOM_SIGN_COUNT
} mdf_phantom_sign;

typedef struct mdf_phantom_lesion {
    mdf_phantom_sign sign;
    float x, y;
    float radius;
    float aspect;   /* length over width, >= 1 */
    float angle;    /* of the long axis, radians */
    uint32_t shape; /* seed of the outline */
} mdf_phantom_lesion;

/* How the eye is pigmented and how the photograph was taken. No sign of disease in here but haze,
 * blur, vessel_width and periphery_loss. */
typedef struct mdf_phantom_look {
    float colour[3];      /* reflectance of the retina, RGB in [0,1] */
    float texture;        /* choroidal pattern, 0..1 */
    float vignette;       /* loss of light at the edge, 0..1 */
    float tilt_x, tilt_y; /* uneven light, -0.3..0.3 */
    float gain;           /* exposure */
    float blur;           /* standard deviation, fraction of the side */
    float haze;           /* 0 clear .. 1 nothing left to see */
    float vessel_width;   /* 1 = ordinary */
    float disc_pallor;    /* 0..1 */
    float periphery_loss; /* grey outer retina, 0..1 */
    float crescent;       /* pale rim temporal to the disc, 0..1 */
} mdf_phantom_look;

/* Everything that is true about one eye. */
typedef struct mdf_phantom_case {
    mdf_phantom_label label;
    float severity; /* 0..1; 0 for normal */
    uint32_t patient;
    char patient_id[16]; /* "P0001" for patient 0 */
    mdf_phantom_eye eye;
    int age; /* years */
    bool female;
    uint64_t seed; /* of this eye */

    float fov_x, fov_y, fov_radius; /* the bright circle */
    float fov_half_height;          /* the camera cuts it above and below; >= fov_radius: whole */
    float disc_x, disc_y, disc_rx, disc_ry;
    float cup_ratio; /* vertical cup/disc ratio */
    float notch;     /* depth of the rim's notch below, 0 = none */
    float macula_x, macula_y;
    mdf_phantom_look look;
    size_t lesion_count;
    mdf_phantom_lesion lesions[MDF_PHANTOM_MAX_LESIONS];
    char text[512]; /* may be empty; never names the label */
} mdf_phantom_case;

/* One eye asked for by hand. Fields that are not in here follow from them. */
typedef struct mdf_phantom_spec {
    mdf_phantom_label label;
    uint64_t seed; /* of the patient: both eyes share colours, age, sex and history */
    uint32_t patient;
    mdf_phantom_eye eye;
    float severity; /* (0,1]; 0 = draw one */
    bool distinct_maculae;
    bool every_text;
} mdf_phantom_spec;

/* A data set. A zeroed struct means every default. */
typedef struct mdf_phantom_options {
    uint32_t patients; /* two eyes each; 0 = MDF_PHANTOM_PATIENTS */
    int side_px;       /* 0 = MDF_PHANTOM_SIDE_PX */
    uint64_t seed;
    const mdf_phantom_label *labels; /* [label_count], borrowed: only these */
    size_t label_count;              /* 0 = all */
    bool distinct_maculae;           /* drusen for amd, flecks for stargardt */
    bool every_text;                 /* no case without text */
} mdf_phantom_options;

/* "retinitis_pigmentosa" and so on: what stands in the label column. */
const char *mdf_phantom_label_name(mdf_phantom_label label);

/* The label of that name; false if there is none. */
bool mdf_phantom_label_parse(const char *name, mdf_phantom_label *label);

/* Which modality tells two different labels apart (without distinct_maculae). */
mdf_phantom_separation mdf_phantom_pair(mdf_phantom_label a, mdf_phantom_label b);

/* Draws every fact of one eye. The same spec gives the same case. A higher severity of the same
 * seed keeps the signs and adds more. */
void mdf_phantom_case_init(mdf_phantom_case *c, const mdf_phantom_spec *spec);

/* The case of row `index` of a data set, 0 <= index < 2 * patients: patient index / 2, right eye
 * first. Patients take the labels in turn. */
void mdf_phantom_plan(mdf_phantom_case *c, const mdf_phantom_options *opt, uint32_t index);

/* Which side each patient is on, [patients]: 70 % train, 15 % val, 15 % test of every label, at
 * least one each from three patients of a label on. Fails with MDF_ERR_NOMEM. */
mdf_status mdf_phantom_splits(const mdf_phantom_options *opt, mdf_phantom_split *split,
                              mdf_error *err) MDF_NODISCARD;

/* What is where: [S,S] each, 255 inside and 0 outside; any may be NULL. */
typedef struct mdf_phantom_masks {
    uint8_t *vessel, *lesion, *disc, *cup;
} mdf_phantom_masks;

/* Paints a case. rgb [S,S,3]; S = side_px; masks NULL: none is wanted. Vessels under haze stay in
 * their mask: it holds the truth, not what can be seen. A cup never leaves its disc. Fails with
 * MDF_ERR_ARG (side_px out of range) and MDF_ERR_NOMEM. */
mdf_status mdf_phantom_render(const mdf_phantom_case *c, int side_px, uint8_t *rgb,
                              const mdf_phantom_masks *masks, mdf_error *err) MDF_NODISCARD;

/* Called after each case; false stops the work with MDF_ERR_STOPPED. */
typedef bool (*mdf_phantom_progress)(void *user, uint32_t done, uint32_t total);

/* Writes a data set into folder `dir`, which is made if it is not there and must not hold a
 * metadata.csv yet: images/, vessel_masks/, lesion_masks/, disc_masks/ and cup_masks/ with one PNG
 * per case, then
 * metadata.csv with the columns file_name, label, patient_id, split, eye, age, sex, text,
 * vessel_mask, lesion_mask, disc_mask, cup_mask. The table comes last and at once, so a folder with
 * a table is complete. progress may be NULL. Fails with MDF_ERR_ARG, MDF_ERR_IO, MDF_ERR_NOMEM,
 * MDF_ERR_STOPPED. */
mdf_status mdf_phantom_write(const char *dir, const mdf_phantom_options *opt,
                             mdf_phantom_progress progress, void *user,
                             mdf_error *err) MDF_NODISCARD;

#endif
