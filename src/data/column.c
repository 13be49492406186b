/* The columns of a table of cases, and what else a column may be called. */
#include "data/column.h"

#include <string.h>

#include "base/nearest.h"
#include "data/cell.h"

const char *const mdf_column_names[MDF_COLUMN_COUNT] = {
    "file_name",
    "label",
    "split",
    "patient_id",
    "text",
    "eye",
    "labels_all",
    "optic_disc_x",
    "optic_disc_y",
    [MDF_COLUMN_MASKS + MDF_MASK_VESSEL] = "vessel_mask",
    [MDF_COLUMN_MASKS + MDF_MASK_DISC] = "disc_mask",
    [MDF_COLUMN_MASKS + MDF_MASK_CUP] = "cup_mask",
    [MDF_COLUMN_MASKS + MDF_MASK_LESION] = "lesion_mask",
    [MDF_COLUMN_MASKS + MDF_MASK_HAEMORRHAGE] = "haemorrhage_mask",
    [MDF_COLUMN_MASKS + MDF_MASK_HARD_EXUDATE] = "hard_exudate_mask"};

enum { NAME_BYTES = MDF_NEAREST_LONGEST + 2 };

typedef struct synonym {
    const char *name;
    mdf_column column;
} synonym;

/* As other data sets call them, without underscores. */
static const synonym synonyms[] = {
    {"image", MDF_COLUMN_FILE_NAME},
    {"img", MDF_COLUMN_FILE_NAME},
    {"imagename", MDF_COLUMN_FILE_NAME},
    {"imageid", MDF_COLUMN_FILE_NAME},
    {"imagepath", MDF_COLUMN_FILE_NAME},
    {"imagefile", MDF_COLUMN_FILE_NAME},
    {"imgpath", MDF_COLUMN_FILE_NAME},
    {"imgname", MDF_COLUMN_FILE_NAME},
    {"file", MDF_COLUMN_FILE_NAME},
    {"path", MDF_COLUMN_FILE_NAME},
    {"filepath", MDF_COLUMN_FILE_NAME},
    {"diagnosis", MDF_COLUMN_LABEL},
    {"diagnoses", MDF_COLUMN_LABEL},
    {"class", MDF_COLUMN_LABEL},
    {"classname", MDF_COLUMN_LABEL},
    {"disease", MDF_COLUMN_LABEL},
    {"category", MDF_COLUMN_LABEL},
    {"grade", MDF_COLUMN_LABEL},
    {"level", MDF_COLUMN_LABEL},
    {"target", MDF_COLUMN_LABEL},
    {"subject", MDF_COLUMN_PATIENT_ID},
    {"subjectid", MDF_COLUMN_PATIENT_ID},
    {"person", MDF_COLUMN_PATIENT_ID},
    {"personid", MDF_COLUMN_PATIENT_ID},
    {"participant", MDF_COLUMN_PATIENT_ID},
    {"participantid", MDF_COLUMN_PATIENT_ID},
    {"pid", MDF_COLUMN_PATIENT_ID},
    {"report", MDF_COLUMN_TEXT},
    {"caption", MDF_COLUMN_TEXT},
    {"description", MDF_COLUMN_TEXT},
    {"laterality", MDF_COLUMN_EYE},
    {"subset", MDF_COLUMN_SPLIT},
    {"partition", MDF_COLUMN_SPLIT},
    {"set", MDF_COLUMN_SPLIT},
};

/* Words for a patient are slips, however far from the name: what is lost with them is that the
 * pictures of a patient stay together. */
static const char *const patients[] = {"patient",   "patients",      "patientname", "patientno",
                                       "patientnr", "patientnumber", "patientcode", "idpatient"};

int mdf_column_find(const char *name)
{
    char folded[NAME_BYTES];
    mdf_cell_fold(folded, sizeof folded, name);
    for (int k = 0; k < MDF_COLUMN_COUNT; k++) {
        if (strcmp(folded, mdf_column_names[k]) == 0) {
            return k;
        }
    }
    return -1;
}

static void without_gaps(char out[NAME_BYTES], const char *name)
{
    char folded[NAME_BYTES];
    size_t n = 0;
    mdf_cell_fold(folded, sizeof folded, name);
    for (const char *p = folded; *p != '\0'; p++) {
        if (*p != '_') {
            out[n++] = *p;
        }
    }
    out[n] = '\0';
}

int mdf_column_meant(const char *name, bool *is_slip)
{
    char plain[NAME_BYTES];
    without_gaps(plain, name);
    *is_slip = false;
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++) {
        if (strcmp(plain, synonyms[i].name) == 0) {
            return (int)synonyms[i].column;
        }
    }
    *is_slip = true;
    for (size_t i = 0; i < sizeof patients / sizeof patients[0]; i++) {
        if (strcmp(plain, patients[i]) == 0) {
            return MDF_COLUMN_PATIENT_ID;
        }
    }
    for (int k = 0; k < MDF_COLUMN_COUNT; k++) {
        char known[NAME_BYTES];
        without_gaps(known, mdf_column_names[k]);
        /* Short names have many neighbours that are words of their own (text, test; eye, age). */
        const size_t len = strlen(known);
        const int slip = len < 4 ? 0 : len < 5 ? 1 : 2;
        if (mdf_edit_distance(plain, known) <= slip) {
            return k;
        }
    }
    return -1;
}
