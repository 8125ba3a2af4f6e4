"""No client may look for anything outside this machine; imported before any of them."""
import os

os.environ.update({"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1",
                   "HF_HUB_DISABLE_TELEMETRY": "1", "OPENAI_AGENTS_DISABLE_TRACING": "1",
                   "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false",
                   "TOKENIZERS_PARALLELISM": "false", "NO_PROXY": "127.0.0.1"})
