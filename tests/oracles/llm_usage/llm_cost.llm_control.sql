select model_name, provider_id from llm_models
