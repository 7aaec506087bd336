/* rules.c - the tables. Place by place they follow the official schema. */
#include "dialect/github/rules.h"

#define TEXT(name, where)                                                                          \
    static const Rule name = {.allow = ALLOW_TEXT | ALLOW_EMPTY, .place = where}

/* Anything at all with expressions of PLACE in it, however deep. */
#define ANYTHING(name, where)                                                                      \
    static const Rule name = {                                                                     \
        .allow = ALLOW_TEXT | ALLOW_EMPTY | ALLOW_SEQUENCE | ALLOW_MAPPING,                        \
        .place = where,                                                                            \
        .each = &name,                                                                             \
    }

#define TEXT_MAP(name, where, item)                                                                \
    static const Rule name = {.allow = ALLOW_MAPPING | ALLOW_EMPTY, .place = where, .each = &item}

/* Texts without expressions */
TEXT(text, PLACE_NONE);
static const Rule word = {.allow = ALLOW_TEXT};
static const Rule boolean = {.allow = ALLOW_BOOLEAN};
static const Rule whatever = {.allow = ALLOW_TEXT | ALLOW_EMPTY | ALLOW_SEQUENCE | ALLOW_MAPPING,
                              .each = &whatever};
const Rule rule_text_list = {.allow = ALLOW_TEXT | ALLOW_SEQUENCE, .each = &word};

/* Permissions: the values a scope takes are the same for all but four of them. */
static const char *const levels[] = {"read", "write", "none", NULL};
static const char *const write_levels[] = {"write", "none", NULL};
static const char *const read_levels[] = {"read", "none", NULL};
static const char *const all_levels[] = {"read-all", "write-all", NULL};
static const Rule level = {.allow = ALLOW_TEXT, .words = levels};
static const Rule write_level = {.allow = ALLOW_TEXT, .words = write_levels};
static const Rule read_level = {.allow = ALLOW_TEXT, .words = read_levels};
static const Field scopes[] = {
    {"actions", &level, false},
    {"artifact-metadata", &level, false},
    {"attestations", &level, false},
    {"checks", &level, false},
    {"code-quality", &level, false},
    {"contents", &level, false},
    {"deployments", &level, false},
    {"discussions", &level, false},
    {"drives", &level, false},
    {"issues", &level, false},
    {"packages", &level, false},
    {"pages", &level, false},
    {"pull-requests", &level, false},
    {"repository-projects", &level, false},
    {"security-events", &level, false},
    {"statuses", &level, false},
    {"id-token", &write_level, false},
    {"copilot-requests", &write_level, false},
    {"models", &read_level, false},
    {"vulnerability-alerts", &read_level, false},
    {0},
};
static const Rule permissions = {
    .allow = ALLOW_TEXT | ALLOW_EMPTY | ALLOW_MAPPING, .fields = scopes, .words = all_levels};

/* Defaults, environment, concurrency */
TEXT(defaults_text, PLACE_DEFAULTS);
static const Field run_defaults[] = {
    {"shell", &defaults_text, false}, {"working-directory", &defaults_text, false}, {0}};
static const Rule run_default = {.allow = ALLOW_MAPPING, .fields = run_defaults};
static const Field default_fields[] = {{"run", &run_default, false}, {0}};
static const Rule defaults = {.allow = ALLOW_MAPPING, .fields = default_fields};
static const Field root_run_defaults[] = {
    {"shell", &text, false}, {"working-directory", &text, false}, {0}};
static const Rule root_run_default = {.allow = ALLOW_MAPPING, .fields = root_run_defaults};
static const Field root_default_fields[] = {{"run", &root_run_default, false}, {0}};
static const Rule root_defaults = {.allow = ALLOW_MAPPING, .fields = root_default_fields};

TEXT(root_env_text, PLACE_ROOT_ENV);
TEXT_MAP(root_env, PLACE_ROOT_ENV, root_env_text);
TEXT(job_env_text, PLACE_JOB_ENV);
TEXT_MAP(job_env, PLACE_JOB_ENV, job_env_text);
TEXT(step_text, PLACE_STEP);
TEXT_MAP(step_map, PLACE_STEP, step_text);
TEXT(container_env_text, PLACE_CONTAINER_ENV);
TEXT_MAP(container_env, PLACE_CONTAINER_ENV, container_env_text);
TEXT(output_text, PLACE_OUTPUT);
TEXT_MAP(outputs, PLACE_OUTPUT, output_text);
TEXT(credential_text, PLACE_CREDENTIALS);
TEXT(job_text, PLACE_JOB);
TEXT(environment_url, PLACE_ENVIRONMENT_URL);
TEXT(run_name, PLACE_RUN_NAME);

static const char *const queues[] = {"single", "max", NULL};
static const Rule queue = {.allow = ALLOW_TEXT, .words = queues};
static const Rule root_switch = {.allow = ALLOW_BOOLEAN, .place = PLACE_RUN_NAME};
static const Rule root_group = {.allow = ALLOW_TEXT, .place = PLACE_RUN_NAME};
static const Field root_concurrency_fields[] = {
    {"group", &root_group, true},
    {"cancel-in-progress", &root_switch, false},
    {"queue", &queue, false},
    {0},
};
static const Rule root_concurrency = {.allow = ALLOW_TEXT | ALLOW_MAPPING,
                                      .place = PLACE_RUN_NAME,
                                      .fields = root_concurrency_fields};
static const Rule job_switch = {.allow = ALLOW_BOOLEAN, .place = PLACE_JOB};
static const Rule job_group = {.allow = ALLOW_TEXT, .place = PLACE_JOB};
static const Field concurrency_fields[] = {
    {"group", &job_group, true},
    {"cancel-in-progress", &job_switch, false},
    {"queue", &queue, false},
    {0},
};
static const Rule concurrency = {
    .allow = ALLOW_TEXT | ALLOW_MAPPING, .place = PLACE_JOB, .fields = concurrency_fields};

static const Field environment_fields[] = {
    {"name", &job_group, true},
    {"url", &environment_url, false},
    {"deployment", &job_switch, false},
    {0},
};
static const Rule environment = {.allow = ALLOW_TEXT | ALLOW_EMPTY | ALLOW_MAPPING,
                                 .place = PLACE_JOB,
                                 .fields = environment_fields};

/* Strategy */
ANYTHING(matrix_value, PLACE_STRATEGY);
static const Rule matrix = {.allow = ALLOW_MAPPING, .place = PLACE_STRATEGY, .each = &matrix_value};
static const Rule strategy_switch = {.allow = ALLOW_BOOLEAN, .place = PLACE_STRATEGY};
static const Rule strategy_number = {.allow = ALLOW_NUMBER, .place = PLACE_STRATEGY};
static const Field strategy_fields[] = {
    {"matrix", &matrix, false},
    {"fail-fast", &strategy_switch, false},
    {"max-parallel", &strategy_number, false},
    {0},
};
static const Rule strategy = {
    .allow = ALLOW_MAPPING, .place = PLACE_STRATEGY, .fields = strategy_fields};

/* Where a job runs */
static const Rule runner_label = {.allow = ALLOW_TEXT, .place = PLACE_JOB};
static const Rule runner_labels = {
    .allow = ALLOW_TEXT | ALLOW_SEQUENCE, .place = PLACE_JOB, .each = &runner_label};
static const Field runs_on_fields[] = {
    {"group", &runner_label, false}, {"labels", &runner_labels, false}, {0}};
static const Rule runs_on = {.allow = ALLOW_TEXT | ALLOW_SEQUENCE | ALLOW_MAPPING,
                             .place = PLACE_JOB,
                             .fields = runs_on_fields,
                             .each = &runner_label};

static const Field credential_fields[] = {
    {"username", &credential_text, true}, {"password", &credential_text, true}, {0}};
static const Rule credentials = {
    .allow = ALLOW_MAPPING, .place = PLACE_CREDENTIALS, .fields = credential_fields};
static const Rule job_list = {.allow = ALLOW_SEQUENCE, .place = PLACE_JOB, .each = &job_text};
static const Field container_fields[] = {
    {"image", &job_text, true},
    {"options", &job_text, false},
    {"env", &container_env, false},
    {"ports", &job_list, false},
    {"volumes", &job_list, false},
    {"credentials", &credentials, false},
    {0},
};
static const Rule container = {.allow = ALLOW_TEXT | ALLOW_EMPTY | ALLOW_MAPPING,
                               .place = PLACE_JOB,
                               .fields = container_fields};
static const Field service_fields[] = {
    {"image", &job_text, true},
    {"options", &job_text, false},
    {"env", &container_env, false},
    {"ports", &job_list, false},
    {"volumes", &job_list, false},
    {"credentials", &credentials, false},
    {"entrypoint", &job_text, false},
    {"command", &job_text, false},
    {0},
};
static const Rule service = {.allow = ALLOW_TEXT | ALLOW_EMPTY | ALLOW_MAPPING,
                             .place = PLACE_JOB,
                             .fields = service_fields};
static const Rule services = {
    .allow = ALLOW_MAPPING | ALLOW_EMPTY, .place = PLACE_JOB, .each = &service};
static const Field snapshot_fields[] = {
    {"image-name", &job_text, true}, {"version", &job_text, false}, {"if", &job_text, false}, {0}};
static const Rule snapshot = {.allow = ALLOW_TEXT | ALLOW_MAPPING, .fields = snapshot_fields};

/* Jobs */
static const Rule job_if = {.allow = ALLOW_CONDITION, .place = PLACE_JOB_IF};
static const Rule job_number = {.allow = ALLOW_NUMBER, .place = PLACE_JOB};
static const Rule steps = {.allow = ALLOW_SEQUENCE};
static const Field steps_job_fields[] = {
    {"name", &job_text, false},
    {"needs", &rule_text_list, false},
    {"if", &job_if, false},
    {"runs-on", &runs_on, true},
    {"environment", &environment, false},
    {"concurrency", &concurrency, false},
    {"outputs", &outputs, false},
    {"env", &job_env, false},
    {"defaults", &defaults, false},
    {"steps", &steps, false},
    {"timeout-minutes", &job_number, false},
    {"cancel-timeout-minutes", &job_number, false},
    {"strategy", &strategy, false},
    {"continue-on-error", &job_switch, false},
    {"container", &container, false},
    {"services", &services, false},
    {"permissions", &permissions, false},
    {"snapshot", &snapshot, false},
    {0},
};
const Rule rule_steps_job = {.allow = ALLOW_MAPPING, .fields = steps_job_fields};

ANYTHING(call_value, PLACE_JOB);
static const Rule call_with = {
    .allow = ALLOW_MAPPING | ALLOW_EMPTY, .place = PLACE_JOB, .each = &call_value};
static const char *const inherit[] = {"inherit", NULL};
static const Rule call_secrets = {.allow = ALLOW_MAPPING | ALLOW_TEXT,
                                  .place = PLACE_JOB_ENV,
                                  .each = &job_env_text,
                                  .words = inherit};
static const Field call_job_fields[] = {
    {"name", &job_text, false},           {"uses", &word, true},
    {"with", &call_with, false},          {"secrets", &call_secrets, false},
    {"needs", &rule_text_list, false},    {"if", &job_if, false},
    {"permissions", &permissions, false}, {"concurrency", &concurrency, false},
    {"strategy", &strategy, false},       {0},
};
const Rule rule_call_job = {.allow = ALLOW_MAPPING, .fields = call_job_fields};

/* Steps */
static const Rule step_if = {.allow = ALLOW_CONDITION, .place = PLACE_STEP_IF};
static const Rule step_script = {.allow = ALLOW_TEXT, .place = PLACE_STEP};
static const Rule step_switch = {.allow = ALLOW_BOOLEAN, .place = PLACE_STEP};
static const Rule step_number = {.allow = ALLOW_NUMBER, .place = PLACE_STEP};
#define STEP_FIELDS                                                                                \
    {"name", &step_text, false}, {"id", &word, false}, {"if", &step_if, false},                    \
        {"env", &step_map, false}, {"continue-on-error", &step_switch, false},                     \
        {"timeout-minutes", &step_number, false},                                                  \
    {                                                                                              \
        "background", &boolean, false                                                              \
    }
static const Field run_step_fields[] = {
    STEP_FIELDS,
    {"run", &step_script, true},
    {"shell", &word, false},
    {"working-directory", &step_text, false},
    {0},
};
const Rule rule_run_step = {.allow = ALLOW_MAPPING, .fields = run_step_fields};
static const Field uses_step_fields[] = {
    STEP_FIELDS,
    {"uses", &word, true},
    {"with", &step_map, false},
    {0},
};
const Rule rule_uses_step = {.allow = ALLOW_MAPPING, .fields = uses_step_fields};
#define CONTROL_FIELDS                                                                             \
    {"name", &step_text, false}, {"id", &word, false}, {"if", &step_if, false},                    \
        {"continue-on-error", &step_switch, false},                                                \
    {                                                                                              \
        "timeout-minutes", &step_number, false                                                     \
    }
static const Field wait_fields[] = {CONTROL_FIELDS, {"wait", &rule_text_list, true}, {0}};
const Rule rule_wait_step = {.allow = ALLOW_MAPPING, .fields = wait_fields};
static const Rule all = {.allow = ALLOW_EMPTY | ALLOW_BOOLEAN};
static const Field wait_all_fields[] = {CONTROL_FIELDS, {"wait-all", &all, true}, {0}};
const Rule rule_wait_all_step = {.allow = ALLOW_MAPPING, .fields = wait_all_fields};
static const Field cancel_fields[] = {CONTROL_FIELDS, {"cancel", &word, true}, {0}};
const Rule rule_cancel_step = {.allow = ALLOW_MAPPING, .fields = cancel_fields};
static const Field parallel_fields[] = {CONTROL_FIELDS, {"parallel", &steps, true}, {0}};
const Rule rule_parallel_step = {.allow = ALLOW_MAPPING, .fields = parallel_fields};

/* Inputs of a run */
static const char *const dispatch_types[] = {"string", "boolean",     "number",
                                             "choice", "environment", NULL};
static const char *const call_types[] = {"string", "boolean", "number", NULL};
static const Rule dispatch_type = {.allow = ALLOW_TEXT, .words = dispatch_types};
static const Rule call_type = {.allow = ALLOW_TEXT, .words = call_types};
static const Rule options = {.allow = ALLOW_SEQUENCE, .each = &text};
static const Field dispatch_input_fields[] = {
    {"description", &text, false},
    {"required", &boolean, false},
    {"default", &text, false},
    {"type", &dispatch_type, false},
    {"options", &options, false},
    {"deprecationMessage", &text, false},
    {0},
};
const Rule rule_dispatch_input = {.allow = ALLOW_MAPPING | ALLOW_EMPTY,
                                  .fields = dispatch_input_fields};
static const Field call_input_fields[] = {
    {"description", &text, false},        {"required", &boolean, false},
    {"default", &run_name, false},        {"type", &call_type, true},
    {"deprecationMessage", &text, false}, {0},
};
const Rule rule_call_input = {.allow = ALLOW_MAPPING, .fields = call_input_fields};
static const Rule call_output_value = {.allow = ALLOW_TEXT | ALLOW_EMPTY,
                                       .place = PLACE_CALL_OUTPUT};
static const Field call_output_fields[] = {
    {"description", &text, false}, {"value", &call_output_value, true}, {0}};
const Rule rule_call_output = {.allow = ALLOW_MAPPING, .fields = call_output_fields};
static const Field call_secret_fields[] = {
    {"description", &text, false}, {"required", &boolean, false}, {0}};
const Rule rule_call_secret = {.allow = ALLOW_MAPPING | ALLOW_EMPTY, .fields = call_secret_fields};
static const Field cron_fields[] = {{"cron", &word, true}, {"timezone", &word, false}, {0}};
static const Rule cron = {.allow = ALLOW_MAPPING, .fields = cron_fields};
const Rule rule_crons = {.allow = ALLOW_SEQUENCE, .each = &cron};

/* The file. `on` and `jobs` have readers of their own. */
static const Field workflow_fields[] = {
    {"name", &text, false},
    {"description", &text, false},
    {"run-name", &run_name, false},
    {"on", NULL, true},
    {"permissions", &permissions, false},
    {"env", &root_env, false},
    {"defaults", &root_defaults, false},
    {"concurrency", &root_concurrency, false},
    {"jobs", NULL, true},
    {0},
};
const Rule rule_workflow = {.allow = ALLOW_MAPPING, .fields = workflow_fields};

/* action.yml */
TEXT(action_text, PLACE_ACTION_STEP);
TEXT_MAP(action_map, PLACE_ACTION_STEP, action_text);
static const Rule action_if = {.allow = ALLOW_CONDITION, .place = PLACE_ACTION_STEP_IF};
static const Rule action_script = {.allow = ALLOW_TEXT, .place = PLACE_ACTION_STEP};
static const Rule action_switch = {.allow = ALLOW_BOOLEAN, .place = PLACE_ACTION_STEP};
#define ACTION_STEP_FIELDS                                                                         \
    {"name", &action_text, false}, {"id", &word, false}, {"if", &action_if, false},                \
        {"env", &action_map, false},                                                               \
    {                                                                                              \
        "continue-on-error", &action_switch, false                                                 \
    }
static const Field action_run_fields[] = {
    ACTION_STEP_FIELDS,
    {"run", &action_script, true},
    {"shell", &action_script, true},
    {"working-directory", &action_text, false},
    {0},
};
const Rule rule_action_run_step = {.allow = ALLOW_MAPPING, .fields = action_run_fields};
static const Field action_uses_fields[] = {
    ACTION_STEP_FIELDS,
    {"uses", &word, true},
    {"with", &action_map, false},
    {0},
};
const Rule rule_action_uses_step = {.allow = ALLOW_MAPPING, .fields = action_uses_fields};
TEXT(action_default, PLACE_ACTION_INPUT);
static const Field action_input_fields[] = {
    {"description", &text, false},
    {"required", &text, false},
    {"default", &action_default, false},
    {"type", &text, false},
    {"options", &whatever, false},
    {"deprecationMessage", &text, false},
    {0},
};
static const Rule action_input = {.allow = ALLOW_MAPPING | ALLOW_EMPTY,
                                  .fields = action_input_fields};
static const Rule action_inputs = {.allow = ALLOW_MAPPING | ALLOW_EMPTY, .each = &action_input};
TEXT(action_output_value, PLACE_ACTION_OUTPUT);
static const Field action_output_fields[] = {
    {"description", &text, false}, {"value", &action_output_value, false}, {0}};
static const Rule action_output = {.allow = ALLOW_MAPPING | ALLOW_EMPTY,
                                   .fields = action_output_fields};
static const Rule action_outputs = {.allow = ALLOW_MAPPING | ALLOW_EMPTY, .each = &action_output};
static const Field action_fields[] = {
    {"name", &text, false},
    {"author", &text, false},
    {"description", &text, false},
    {"inputs", &action_inputs, false},
    {"outputs", &action_outputs, false},
    {"runs", NULL, true},
    {"branding", &whatever, false},
    {0},
};
const Rule rule_action = {.allow = ALLOW_MAPPING, .fields = action_fields};
