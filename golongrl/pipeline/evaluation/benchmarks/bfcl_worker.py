"""Answers BFCL's memory questions in an interpreter that has `bfcl-eval`: `python bfcl_worker.py JOB.json`.

Runs under another interpreter, so it imports nothing of this package. The job names the folder of the results, the
endpoint's model, the categories and the sampling; the endpoint and its key come from OPENAI_BASE_URL and
OPENAI_API_KEY. Questions that already have a result in the folder are not asked again.
"""

import json
import os
import sys
from types import SimpleNamespace

NAME = "golongrl"


def main(path):
    """Generate what is missing."""
    with open(path, encoding="utf-8") as handle:
        job = json.load(handle)
    # The package makes its folders when it is imported.
    os.environ["BFCL_PROJECT_ROOT"] = job["folder"]

    from bfcl_eval import _llm_response_generation as generation
    from bfcl_eval import utils
    from bfcl_eval.constants import eval_config, model_config
    from bfcl_eval.model_handler.api_inference.openai_completion import OpenAICompletionsHandler

    class Handler(OpenAICompletionsHandler):
        def generate_with_backoff(self, **request):
            # `store` is for OpenAI's own service; other servers refuse it.
            request.pop("store", None)
            return super().generate_with_backoff(**{**request, **job["sampling"]})

    model_config.MODEL_CONFIG_MAPPING[NAME] = model_config.ModelConfig(
        model_name=job["model"],
        display_name=NAME,
        url="",
        org="",
        license="",
        model_handler=Handler,
        input_price=None,
        output_price=None,
        is_fc_model=True,
        underscore_to_dot=True,
    )
    if job["ids"] is not None:
        for category, names in job["ids"].items():
            # The chats that fill the memory come only when they are named, too.
            entries = [entry for entry in utils.load_dataset_entry(category) if entry["id"] in names]
            names.extend(sorted({before for entry in entries for before in entry["depends_on"]}))
        with open(eval_config.TEST_IDS_TO_GENERATE_PATH, "w", encoding="utf-8") as handle:
            json.dump(job["ids"], handle)
    generation.main(
        SimpleNamespace(
            model=[NAME],
            test_category=job["categories"],
            temperature=job["sampling"]["temperature"],
            include_input_log=False,
            exclude_state_log=True,
            num_gpus=0,
            num_threads=job["threads"],
            gpu_memory_utilization=0.0,
            backend="vllm",
            skip_server_setup=True,
            local_model_path=None,
            result_dir="result",
            allow_overwrite=False,
            run_ids=job["ids"] is not None,
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
