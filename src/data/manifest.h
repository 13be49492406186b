/* The list of cases of one or several data folders, in the Hugging Face imagefolder convention.
 *
 * A folder holds one of these, looked for in this order:
 *   metadata.csv or metadata.jsonl    a row per image: file_name, and optionally label, split,
 *                                     patient_id, text, eye, and masks: vessel_mask, disc_mask,
 *                                     cup_mask, lesion_mask, haemorrhage_mask, hard_exudate_mask
 *   <split>/metadata.csv (or .jsonl)  the same, a table per split
 *   <split>/<label>/ *.jpg            class folders inside split folders
 *   <label>/ *.jpg                    class folders
 *
 * The first folders are splits when they are called train, val, valid, validation or test, in
 * whatever capitals, and classes otherwise; folders below a class are patients
 * (<label>/<patient>/ *.jpg), and what lies deeper belongs to them. The same name below two classes
 * is one patient. Images beside class folders have no label. Folders of masks are not read.
 *
 * Names of columns may be written with other capitals, and with blanks or hyphens for underscores
 * (data/column.h); other columns are not read. Paths in a table are relative to the table. Blanks
 * around labels, splits, patients and masks are dropped, and words like "nan" mean that there is
 * no value (data/cell.h). A table without the column split takes it from file names that begin with
 * a split folder ("train/1.jpg"). An empty label means an unlabelled case (a photograph that has
 * only a vessel mask, say). A row without patient_id counts as a patient of its own, and
 * m.without_patient says how many do. Folders number their patients independently: an id that
 * occurs in two folders is two patients, "<dir>:<id>".
 *
 * A boxes.csv beside a table (data/boxes.h) marks signs on the table's pictures.
 *
 * What was passed over or read otherwise than it stands there is a note of the manifest. */
#ifndef MDF_DATA_MANIFEST_H
#define MDF_DATA_MANIFEST_H

#include "base/arena.h"
#include "data/boxes.h"

typedef enum mdf_eye { MDF_EYE_UNKNOWN, MDF_EYE_LEFT, MDF_EYE_RIGHT } mdf_eye;

/* Strings belong to the manifest and are never NULL, except the masks. */
typedef struct mdf_manifest_case {
    const char *path;                 /* of the image, as openable from here */
    const char *file_name;            /* as the table has it */
    const char *split;                /* "" when the data has none */
    const char *patient_id;           /* unique over all folders */
    const char *text;                 /* "" = none */
    const char *labels_all;           /* "a|b", every label of the case; "" = none */
    const char *mask[MDF_MASK_NAMES]; /* paths, NULL = none */
    const mdf_box *boxes;             /* [box_count] of signs on the picture */
    size_t box_count;
    bool has_disc_centre; /* of disc_x, disc_y, in pixels of the picture */
    double disc_x, disc_y;
    bool masks_only; /* nobody is to learn a label of it */
    bool healthy;    /* no lesion is on it: train_config.healthy_labels */
    int label;       /* index into m.labels; -1 = unlabelled */
    int patient;     /* 0..patient_count-1, the same for the same patient_id */
    mdf_eye eye;
    int source;  /* index of the data folder */
    size_t row;  /* number of the record in its table, from 0 */
    size_t line; /* line of the table; 0 for class folders */
} mdf_manifest_case;

/* Is there a mask of it, as a file, as boxes, or (disc) as a centre? The first of these counts. */
bool mdf_case_has_mask(const mdf_manifest_case *c, mdf_mask_name name);

bool mdf_case_has_boxes(const mdf_manifest_case *c, mdf_mask_name name);

/* Is `name` a lesion, of which this eye has none and nobody drew any? Then its mask is empty. */
bool mdf_case_is_free_of(const mdf_manifest_case *c, mdf_mask_name name);

/* Who wants to know. */
typedef enum mdf_note_level {
    MDF_NOTE_CHECK,  /* only who checks the data: other files lie beside the pictures */
    MDF_NOTE_TRAIN,  /* who trains on it, too: a column is not read */
    MDF_NOTE_ALWAYS, /* everybody who reads it: cases are missing, or are not what they seem */
} mdf_note_level;

typedef struct mdf_manifest_note_text {
    mdf_note_level level;
    const char *text; /* a sentence that begins with the table or folder */
} mdf_manifest_note_text;

/* Owns its memory; mdf_manifest_free(). */
typedef struct mdf_manifest {
    mdf_manifest_case *cases; /* [case_count] in the order of the folders and their tables */
    size_t case_count;
    const char **labels; /* [label_count] in byte order, or as a filter set them */
    int label_count;
    int patient_count;
    size_t without_patient; /* cases whose row has no patient_id */
    const char **dirs;      /* [dir_count] as given */
    int dir_count;
    mdf_manifest_note_text *notes; /* [note_count]; a copy has none */
    size_t note_count;
    mdf_arena arena;
} mdf_manifest;

/* Reads all folders. Every image and mask must exist (they are not opened). On failure *m is empty
 * and err names the table, the line and the column, or the first files that are missing. */
mdf_status mdf_manifest_load(mdf_manifest *m, const char *const *dirs, size_t dir_count,
                             mdf_error *err) MDF_NODISCARD;
void mdf_manifest_free(mdf_manifest *m);

/* MDF_OK when every label is one label, in one spelling. MDF_ERR_ARG when two differ only by
 * capitals, blanks, hyphens or underscores, or when cells hold several ("amd|dr", "amd; dr", and
 * "amd, dr" where the data has both as labels of their own): a model would learn each as a class.
 * err names and counts them. `several`: cells with several are as they should be. */
mdf_status mdf_manifest_distinct_labels(const mdf_manifest *m, bool several,
                                        mdf_error *err) MDF_NODISCARD;

/* Cases with several labels in their cell become one case for each, behind one another; each label
 * is in m->labels then. So do cases whose label is none of known[count], by those of known that
 * their labels_all has. MDF_ERR_ARG: more than MDF_MAX_CLASSES labels. */
mdf_status mdf_manifest_separate_labels(mdf_manifest *m, const char *const *known, size_t count,
                                        mdf_error *err) MDF_NODISCARD;

/* A second manifest with the same cases, for one split or filter; the strings are copied too. */
mdf_status mdf_manifest_copy(mdf_manifest *out, const mdf_manifest *m,
                             mdf_error *err) MDF_NODISCARD;

/* Keeps the cases of one split. None left: MDF_ERR_ARG, err lists the splits that the data has,
 * and m is unchanged. */
mdf_status mdf_manifest_keep_split(mdf_manifest *m, const char *split,
                                   mdf_error *err) MDF_NODISCARD;

/* Keeps the cases that have one of the given labels; the label table becomes exactly this list, in
 * this order. A label that no case of the data has: MDF_ERR_ARG, m unchanged. */
mdf_status mdf_manifest_keep_labels(mdf_manifest *m, const char *const *labels, size_t count,
                                    mdf_error *err) MDF_NODISCARD;

/* Keeps all cases and renumbers their labels by the given table (a model's, say). A case whose
 * label is not in it: MDF_ERR_ARG, err names label, count and first case, m unchanged. */
mdf_status mdf_manifest_use_labels(mdf_manifest *m, const char *const *labels, size_t count,
                                   mdf_error *err) MDF_NODISCARD;

void mdf_manifest_keep_labelled(mdf_manifest *m);

/* Cases of data folder `first` and those behind it lose their labels and become masks_only. */
void mdf_manifest_masks_only(mdf_manifest *m, int first);
void mdf_manifest_drop_masks_only(mdf_manifest *m);

/* Number of cases of a split; NULL = all. */
size_t mdf_manifest_count(const mdf_manifest *m, const char *split);

#endif
