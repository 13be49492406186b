/* The list of all rules. */
#include "optim/optimizer_rule.h"

#include <string.h>

const mdf_optimizer_rule *const mdf_rules[MDF_RULES] = {&mdf_rule_adamw, &mdf_rule_adamw_8bit,
                                                        &mdf_rule_adafactor, &mdf_rule_adalomo};

const mdf_optimizer_rule *mdf_optimizer_rule_find(const char *name)
{
    for (int i = 0; i < MDF_RULES; i++) {
        if (strcmp(mdf_rules[i]->name, name) == 0) {
            return mdf_rules[i];
        }
    }
    return NULL;
}
