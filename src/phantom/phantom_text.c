/* The clinical sentence of a phantom case. It is drawn from the label's text group and never names
 * a diagnosis, so that labels which share a group cannot be told apart by reading. */
#include <stdio.h>
#include <string.h>

#include "phantom/phantom_draw.h"

#define SENTENCES 8

typedef struct text_row {
    int age_min, age_max;
    const char *complaint[SENTENCES]; /* why the patient came */
    const char *history[SENTENCES];   /* what else is known; %d is filled with 2..20 */
} text_row;

static const text_row groups[PHANTOM_TEXT_GROUP_COUNT] = {
    [PHANTOM_TEXT_SCREENING] =
        {28,
         78,
         {"Yearly eye check.", "No complaints.", "Screening visit.", "Wants new reading glasses.",
          "Sent by the family doctor for a routine photograph.", "Sees well.",
          "No change since the last visit.", "First visit to the eye clinic."},
         {"Type 2 diabetes for %d years.", "Diabetes for %d years, takes tablets.",
          "Diabetes for %d years, on insulin.", "High blood pressure for %d years.",
          "Blood sugar well controlled for %d years.", "Smoked for %d years.",
          "Overweight, high cholesterol for %d years.", "No eye disease in the family."}},
    [PHANTOM_TEXT_PRESSURE] =
        {42,
         84,
         {"Bumps into things on one side.", "No complaints.", "Misses the edge of the page.",
          "Sent by the optician because of a high pressure reading.", "Side vision seems narrower.",
          "Mild ache above the eye in the evening.", "Sees coloured rings around lamps.",
          "Yearly pressure check."},
         {"Eye pressure 2%d mmHg.", "Father lost his side vision.",
          "Pressure-lowering drops for %d years.", "Visual field test shows an arc-shaped gap.",
          "Mother treated with eye drops for %d years.", "Eye pressure 3%d mmHg before drops.",
          "Thin cornea, eye pressure 2%d mmHg.", "Short-sighted, brother uses pressure drops."}},
    [PHANTOM_TEXT_OLD_AGE] = {60,
                              91,
                              {"Vision has become slowly worse.", "Needs more light to read.",
                               "Newspaper print is hard to read.", "Faces look blurred.",
                               "Glare when driving at dusk.", "Colours look faded.",
                               "New glasses did not help.", "Sees worse than last year."},
                              {"Gradual for %d months.", "Smoked for %d years.",
                               "High blood pressure for %d years.", "No eye disease in the family.",
                               "Lives alone.", "Worked outdoors for many years.",
                               "Fellow eye similar.", "Otherwise in good health."}},
    [PHANTOM_TEXT_NIGHT] = {14,
                            55,
                            {"Gradual night blindness since childhood.", "Stumbles in the dark.",
                             "Cannot find a seat in the cinema.", "Tunnel vision.",
                             "Bumps into door frames.", "Gave up driving at night.",
                             "Trouble seeing at dusk since school age.",
                             "Field of view is shrinking."},
                            {"Brother affected.", "Parents are cousins.",
                             "Mother and uncle have the same.", "Worse for %d years.",
                             "Hearing loss as well.", "Sister has the same complaint.",
                             "Grandfather was blind at fifty.", "Nobody else in the family."}},
    [PHANTOM_TEXT_YOUNG] =
        {8,
         36,
         {"Cannot read the blackboard.", "Central vision has dropped within a year.",
          "A blurred spot in the middle of the view.", "Reading has become hard at school.",
          "Glasses do not help any more.", "Slow to adapt after bright sun.",
          "Loses letters in the middle of words.", "Faces look blurred."},
         {"Sister affected in her teens.", "Parents are cousins.", "Brother has the same.",
          "Since the age of ten.", "Two cousins lost their reading vision as students.",
          "Night vision is fine.", "Worse for %d months.", "Parents see well."}},
};

/* Appends one sentence; the number is drawn in any case, so that what follows does not depend on
 * which sentence it was. */
static void append(char *text, size_t capacity, const char *sentence, mdf_rng *r)
{
    char number[16];
    const char *gap = strstr(sentence, "%d");
    size_t len = strlen(text);
    const bool tens = gap != NULL && gap > sentence && gap[-1] >= '0' && gap[-1] <= '9';
    (void)snprintf(number, sizeof number, "%u",
                   tens ? mdf_rng_below(r, 10) : 2 + mdf_rng_below(r, 19));
    if (gap == NULL) {
        (void)snprintf(text + len, capacity - len, " %s", sentence);
    } else {
        (void)snprintf(text + len, capacity - len, " %.*s%s%s", (int)(gap - sentence), sentence,
                       number, gap + 2);
    }
}

void mdf_phantom_write_text(mdf_phantom_case *c, mdf_phantom_text_group group,
                            uint64_t patient_seed, bool every_text)
{
    const text_row *row = &groups[group];
    mdf_rng r = mdf_rng_new(patient_seed, PHANTOM_STREAM_PERSON);
    c->age = row->age_min + (int)mdf_rng_below(&r, (uint32_t)(row->age_max - row->age_min + 1));
    c->female = mdf_rng_below(&r, 2) == 1;

    mdf_rng silence = mdf_rng_new(c->seed, PHANTOM_STREAM_SILENCE);
    c->text[0] = '\0';
    if (!every_text && mdf_rng_uniform(&silence) < 0.05) {
        return;
    }
    (void)snprintf(c->text, sizeof c->text, "%d-year-old %s. %s eye.", c->age,
                   c->female ? "female" : "male", c->eye == MDF_PHANTOM_RIGHT ? "Right" : "Left");
    append(c->text, sizeof c->text, row->complaint[mdf_rng_below(&r, SENTENCES)], &r);
    const uint32_t first = mdf_rng_below(&r, SENTENCES);
    append(c->text, sizeof c->text, row->history[first], &r);
    if (mdf_rng_uniform(&r) < 0.4) {
        const uint32_t second = (first + 1 + mdf_rng_below(&r, SENTENCES - 1)) % SENTENCES;
        append(c->text, sizeof c->text, row->history[second], &r);
    }
}
