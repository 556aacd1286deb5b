"""Credentials that are known by their shape: whose they are, where the shape is told, and what they look like. Data alone.

A pattern begins with letters or digits of its own. No two parts that follow each other take the same character, and each part is
bounded below, not above: time grows with the text alone, and what a vendor makes longer one day is still known.
"""

from typing import Final, NamedTuple

from llm_gateway.domain.key_secrets import SECRET_PREFIX


class Format(NamedTuple):
    whose: str
    source: str
    pattern: str


OWN: Final = "this repository"
GITLEAKS: Final = "https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"
DETECT_SECRETS: Final = "https://github.com/Yelp/detect-secrets/tree/master/detect_secrets/plugins"
TRUFFLEHOG: Final = "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors"
GITHUB: Final = (
    "https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns"
)

# What may be escaped inside a credential: a slash in JSON, all of these in an address.
_B64: Final = r"(?:[\w+/=-]|\\/|%2[bBfF]|%3[dD])"
_COLON: Final = r"(?::|%3[aA])"
_SLASH: Final = r"(?:\\?/|%2[fF])"
_DOLLAR: Final = r"(?:\$|%24)"
_UUID: Final = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_BREAK: Final = r"(?:[ +]|%(?:25)?20)"

PRIVATE_KEY: Final = (
    rf"-----BEGIN(?:[A-Z0-9 +]|%(?:25)?20){{0,40}}?PRIVATE{_BREAK}KEY(?:{_BREAK}BLOCK)?-----(?:(?!-----END[ +%])[\s\S])*"
    rf"(?:-----END(?:[A-Z0-9 +]|%(?:25)?20){{0,40}}?PRIVATE{_BREAK}KEY(?:{_BREAK}BLOCK)?-----)?"
)

# fmt: off
FORMATS: Final[tuple[Format, ...]] = (
    Format("this gateway", OWN, rf"{SECRET_PREFIX}[0-9A-Za-z]+_[\w-]+"),
    # Models and what is built on them. OpenAI's, Anthropic's, OpenRouter's, DeepSeek's and others' begin alike.
    Format("OpenAI, Anthropic, OpenRouter, DeepSeek", GITLEAKS, r"sk-[\w-]{16,}"),
    Format("Hugging Face", GITLEAKS, r"hf_\w{20,}"),
    Format("Hugging Face, organization", GITLEAKS, r"api_org_[A-Za-z]{20,}"),
    Format("Groq", TRUFFLEHOG, r"gsk_\w{20,}"),
    Format("xAI", TRUFFLEHOG, r"xai-\w{40,}"),
    Format("Perplexity", GITLEAKS, r"pplx-\w{30,}"),
    Format("Replicate", TRUFFLEHOG, r"r8_\w{30,}"),
    Format("NVIDIA", TRUFFLEHOG, r"nvapi-[\w-]{40,}"),
    Format("LangSmith", TRUFFLEHOG, r"lsv2_(?:pt|sk)_[0-9a-f]{20,}_[0-9a-f]{6,}"),
    Format("LangFuse", TRUFFLEHOG, rf"[sp]k-lf-{_UUID}"),
    Format("Pinecone", GITHUB, r"pcsk_\w{30,}"),
    Format("ElevenLabs", GITHUB, r"sk_[0-9a-f]{48}"),
    # Clouds.
    Format("AWS access key id", GITLEAKS, r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}"),
    Format("Amazon Bedrock, long-lived", GITLEAKS, rf"ABSK{_B64}{{80,}}"),
    Format("Amazon Bedrock, short-lived", GITLEAKS, rf"bedrock-api-key-{_B64}{{20,}}"),
    Format("AWS, Marketplace Web Service", TRUFFLEHOG, rf"amzn\.mws\.{_UUID}"),
    Format("Azure, client secret", GITLEAKS, r"[A-Za-z0-9_~.]{3}[0-9]Q~[\w~.-]{31,}"),
    Format("Azure, storage account", DETECT_SECRETS, rf"AccountKey(?:=|%3[dD]){_B64}{{60,}}"),
    Format("Azure, shared access", GITHUB, rf"SharedAccessKey(?:=|%3[dD]){_B64}{{40,}}"),
    Format("Google, API key", GITLEAKS, r"AIza[\w-]{30,}"),
    Format("Google, OAuth client secret", GITHUB, r"GOCSPX-[\w-]{20,}"),
    Format("Google, OAuth access token", TRUFFLEHOG, r"ya29\.(?:[\w-]|\.(?=[\w-])){20,}"),
    Format("Google, OAuth refresh token", GITHUB, rf"1{_SLASH}{_SLASH}0[\w-]{{30,}}"),
    Format("Firebase Cloud Messaging", TRUFFLEHOG, rf"AAAA[\w-]{{7}}{_COLON}[\w-]{{100,}}"),
    Format("Alibaba Cloud", GITLEAKS, r"LTAI[0-9A-Za-z]{16,}"),
    Format("Tencent Cloud", TRUFFLEHOG, r"AKID[0-9A-Za-z]{28,}"),
    Format("Yandex Cloud, API key", GITLEAKS, r"AQVN[\w-]{30,}"),
    Format("Yandex Cloud, access token", GITLEAKS, r"t1\.[\w-]{8,}={0,2}\.[\w-]{60,}={0,2}"),
    Format("Yandex Cloud, static key", GITLEAKS, r"YC[A-Z][\w-]{37,}"),
    Format("DigitalOcean", GITLEAKS, r"do[opr]_v1_[0-9a-fA-F]{40,}"),
    Format("Cloudflare, origin CA", GITLEAKS, r"v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}"),
    Format("Cloudflare", GITHUB, r"cf(?:ut|at|k)_\w{40,}"),
    Format("Heroku", GITLEAKS, r"HRKU-[\w-]{30,}"),
    Format("Fly.io, macaroon", GITLEAKS, rf"fm[12][ar]?_{_B64}{{60,}}"),
    Format("Fly.io", GITLEAKS, r"fo1_[\w-]{40,}"),
    Format("Scalingo", GITLEAKS, r"tk-us-[\w-]{40,}"),
    Format("Netlify", GITHUB, r"nf[pcoub]_\w{30,}"),
    Format("Vercel", GITHUB, r"vc[pkria]_\w{20,}"),
    Format("Render", TRUFFLEHOG, r"rnd_\w{28,}"),
    Format("Supabase", TRUFFLEHOG, r"sb(?:p|_secret)_\w{20,}"),
    Format("PlanetScale", GITLEAKS, r"pscale_(?:tkn|oauth|pw)_(?:[\w=-]|\.(?=[\w-])){30,}"),
    Format("Neon", GITHUB, r"napi_\w{40,}"),
    Format("Databricks", GITLEAKS, r"dapi[0-9a-f]{32}(?:-[0-9])?"),
    Format("ClickHouse Cloud", GITLEAKS, r"4b1d[A-Za-z0-9]{38}"),
    Format("MaxMind", GITLEAKS, r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk"),
    Format("OpenShift", GITLEAKS, r"sha256~[\w-]{40,}"),
    # Where code is kept, built and published.
    Format("GitHub", GITLEAKS, r"gh[oprsu]_\w{20,}"),
    Format("GitHub, fine-grained", GITLEAKS, r"github_pat_\w{20,}"),
    Format("GitLab, personal", GITLEAKS, r"glpat-[\w-]{16,}(?:\.[0-9a-z]{9,})?"),
    Format("GitLab, deploy", GITLEAKS, r"gldt-[\w-]{20,}"),
    Format("GitLab, CI job", GITLEAKS, r"glcbt-[\w-]{20,}"),
    Format("GitLab, feed", GITLEAKS, r"glft-[\w-]{20,}"),
    Format("GitLab, feature flags", GITLEAKS, r"glffct-[\w-]{20,}"),
    Format("GitLab, incoming mail", GITLEAKS, r"glimt-[\w-]{20,}"),
    Format("GitLab, agent", GITLEAKS, r"glagent-[\w-]{40,}"),
    Format("GitLab, OAuth application", GITLEAKS, r"gloas-[\w-]{40,}"),
    Format("GitLab, pipeline trigger", GITLEAKS, r"glptt-[\w-]{30,}"),
    Format("GitLab, runner", GITLEAKS, r"glrt-[\w-]{20,}(?:\.[0-9a-z]{9,})?"),
    Format("GitLab, runner registration", GITLEAKS, r"GR1348941[\w-]{20,}"),
    Format("GitLab, SCIM", GITLEAKS, r"glsoat-[\w-]{20,}"),
    Format("GitLab, session", GITLEAKS, r"_gitlab_session(?:=|%3[dD])[0-9a-z]{32,}"),
    Format("Bitbucket, app password", GITHUB, r"ATBB\w{24,}"),
    Format("Atlassian, API token", GITLEAKS, r"AT[ACS]TT3\w[\w=-]{50,}"),
    Format("npm", GITLEAKS, r"npm_\w{20,}"),
    Format("PyPI", GITLEAKS, r"pypi-[\w-]{20,}"),
    Format("RubyGems", GITLEAKS, r"rubygems_[0-9a-f]{40,}"),
    Format("crates.io", GITHUB, r"cio[A-Za-z0-9]{32}"),
    Format("NuGet", GITHUB, r"oy2[a-z0-9]{43}"),
    Format("Clojars", GITLEAKS, r"CLOJARS_\w{40,}"),
    Format("Docker Hub", TRUFFLEHOG, r"dckr_(?:pat|oat)_[\w-]{20,}"),
    Format("JFrog, API key", GITLEAKS, r"AKC[A-Za-z0-9]{10,}"),
    Format("JFrog, reference token", GITLEAKS, r"cmVmd[A-Za-z0-9]{50,}"),
    Format("CircleCI", GITHUB, r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{20,}_[0-9a-f]{30,}"),
    Format("Buildkite", TRUFFLEHOG, r"bk(?:ua|at|aj)_\w{30,}"),
    Format("Harness", GITLEAKS, r"[ps]at\.[\w-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}"),
    Format("Octopus Deploy", GITLEAKS, r"API-[A-Z0-9]{26}"),
    Format("SonarQube", GITLEAKS, r"sq[upa]_[0-9a-z]{40}"),
    Format("Sourcegraph", GITLEAKS, r"sgp_\w{40,}"),
    Format("Postman", GITLEAKS, r"PMAK-[0-9a-fA-F]{24}-[0-9a-fA-F]{34}"),
    Format("ReadMe", GITLEAKS, r"rdme_\w{50,}"),
    Format("Infracost", GITLEAKS, r"ico-\w{32,}"),
    Format("Pulumi", GITLEAKS, r"pul-[0-9a-f]{40}"),
    Format("Terraform Cloud", GITLEAKS, r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,}"),
    Format("Prefect", GITLEAKS, r"pn[ub]_\w{30,}"),
    # Secrets' own stores, sign-on.
    Format("HashiCorp Vault, service", GITLEAKS, r"hvs\.[\w-]{20,}"),
    Format("HashiCorp Vault, batch", GITLEAKS, r"hvb\.[\w-]{60,}"),
    Format("HashiCorp Vault, recovery", GITHUB, r"hvr\.[\w-]{60,}"),
    Format("Doppler", GITLEAKS, r"dp\.(?:pt|ct|sa|scim|audit|st)\.(?:[\w-]|\.(?=[\w-])){20,}"),
    Format("1Password, secret key", GITLEAKS, r"A3-[A-Z0-9]{6}-[A-Z0-9]{6,11}(?:-[A-Z0-9]{5}){3,4}"),
    Format("1Password, service account", GITLEAKS, rf"ops_eyJ{_B64}{{60,}}"),
    Format("age", GITLEAKS, r"AGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    Format("Authress", GITLEAKS,
           rf"(?:sc|ext|scauth|authress)_[A-Za-z0-9]{{5,30}}\.[A-Za-z0-9]{{4,6}}\.acc[_-][A-Za-z0-9-]{{10,32}}\.{_B64}{{30,}}"),
    Format("JSON web token", DETECT_SECRETS, r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
    Format("JSON web token, encoded once more", GITLEAKS, rf"ZXlK{_B64}{{40,}}"),
    Format("Infisical", GITHUB, r"st\.[0-9a-f]{24}\.[0-9a-f]{32}\.[0-9a-f]{32}"),
    # Money.
    Format("Stripe", GITLEAKS, r"[rs]k_(?:live|test|prod)_\w{10,}"),
    Format("Stripe, webhook", TRUFFLEHOG, r"whsec_\w{24,}"),
    Format("Square", GITLEAKS, r"(?:EAAA|sq0(?:atp|csp|idp)-)[\w-]{22,}"),
    Format("PayPal, Braintree", TRUFFLEHOG,
           rf"access_token{_DOLLAR}(?:production|sandbox){_DOLLAR}\w{{10,}}{_DOLLAR}[0-9a-f]{{20,}}"),
    Format("Plaid", GITLEAKS, rf"access-(?:sandbox|development|production)-{_UUID}"),
    Format("Razorpay", TRUFFLEHOG, r"rzp_(?:live|test)_\w{14,}"),
    Format("Flutterwave", GITLEAKS, r"FLW(?:SEC|PUB)K(?:_TEST)?-[0-9a-zA-Z]{12,}(?:-X)?"),
    Format("Duffel", GITLEAKS, r"duffel_(?:test|live)_[\w=-]{40,}"),
    Format("EasyPost", GITLEAKS, r"EZ[AT]K[A-Za-z0-9]{54}"),
    Format("Shippo", GITLEAKS, r"shippo_(?:live|test)_[0-9a-fA-F]{40}"),
    Format("Lob", GITLEAKS, r"(?:live|test)_(?:pub_)?[0-9a-f]{31,}"),
    Format("Shopify", GITLEAKS, r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    Format("Settlemint", GITLEAKS, r"sm_[aps]at_\w{16,}"),
    # Messages and mail.
    Format("Slack", GITLEAKS, r"xox[a-z]-[\w-]{10,}"),
    Format("Slack, rotated", GITLEAKS, r"xoxe\.xox[bp]-[\w-]{20,}"),
    Format("Slack, app", GITLEAKS, r"xapp-[0-9]-[\w-]{20,}"),
    Format("Slack, webhook", GITLEAKS,
           rf"hooks\.slack\.com{_SLASH}(?:services|workflows|triggers){_SLASH}(?:[\w+]|{_SLASH}){{20,}}"),
    Format("Microsoft Teams, webhook", GITLEAKS,
           rf"webhook\.office\.com{_SLASH}webhookb2{_SLASH}(?:[\w@-]|%40|{_SLASH}){{40,}}"),
    Format("Discord, bot", DETECT_SECRETS, r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,}"),
    Format("Discord, webhook", TRUFFLEHOG,
           rf"discord(?:app)?\.com{_SLASH}api{_SLASH}webhooks{_SLASH}[0-9]{{17,}}{_SLASH}[\w-]{{50,}}"),
    Format("Telegram", GITLEAKS, rf"[0-9]{{5,16}}{_COLON}A[\w-]{{34}}"),
    Format("Twilio", GITLEAKS, r"SK[0-9a-f]{32}"),
    Format("SendGrid", GITLEAKS, r"SG\.[\w-]{16,}\.[\w-]{30,}"),
    Format("Brevo", GITLEAKS, r"xkeysib-[0-9a-f]{64}-\w{16}"),
    Format("Mailchimp", GITLEAKS, r"[0-9a-f]{32}-us[0-9]{1,2}"),
    Format("Mailgun", GITLEAKS, r"(?:pub)?key-[0-9a-f]{32}"),
    Format("Mailgun, signing", GITLEAKS, r"[0-9a-h]{32}-[0-9a-h]{8}-[0-9a-h]{8}"),
    Format("Resend", GITHUB, r"re_[A-Za-z0-9]{6,10}_[A-Za-z0-9]{20,}"),
    Format("Facebook", GITLEAKS, r"EAA[A-Z][A-Za-z0-9]{90,}"),
    Format("Facebook, application", GITLEAKS, r"[0-9]{15,16}(?:\||%7[cC])[\w-]{27,}"),
    Format("Instagram", GITHUB, r"IGQ[A-Z][\w-]{50,}"),
    Format("X, bearer", GITLEAKS, r"AAAAAAAAAAAAAAAAAAAAAA[\w%]{60,}"),
    # What watches.
    Format("Grafana, API key", GITLEAKS, rf"eyJrIjoi{_B64}{{40,}}"),
    Format("Grafana Cloud", GITLEAKS, rf"glc_{_B64}{{32,}}"),
    Format("Grafana, service account", GITLEAKS, r"glsa_[A-Za-z0-9]{32}_[0-9A-Fa-f]{8}"),
    Format("New Relic", GITLEAKS, r"NR(?:AK|II|JS|RA|IQ|AA)-[\w-]{19,}"),
    Format("Sentry, organization", GITLEAKS, rf"sntrys_{_B64}{{40,}}"),
    Format("Sentry, user", GITLEAKS, r"sntry[ui]_[0-9a-f]{60,}"),
    Format("Dynatrace", GITLEAKS, r"dt0[a-z][0-9]{2}\.[A-Za-z0-9]{8,24}\.[A-Za-z0-9]{60,}"),
    Format("PostHog", GITHUB, r"ph[xcs]_\w{30,}"),
    Format("PagerDuty", TRUFFLEHOG, r"u\+[\w+-]{18}"),
    # What people work with.
    Format("Notion", GITLEAKS, r"ntn_[0-9A-Za-z]{40,}"),
    Format("Notion, before", TRUFFLEHOG, r"secret_[A-Za-z0-9]{43}"),
    Format("Linear", GITLEAKS, r"lin_(?:api|oauth|wh)_\w{30,}"),
    Format("Figma", GITHUB, r"fig[duo][rh]?_[\w-]{30,}"),
    Format("Airtable", GITLEAKS, r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    Format("Asana", TRUFFLEHOG, rf"[0-9]{_SLASH}[0-9]{{14,}}(?:{_SLASH}[0-9]{{14,}})?{_COLON}[0-9a-f]{{32}}"),
    Format("HubSpot", GITHUB, rf"pat-(?:na|eu)[0-9]-{_UUID}"),
    Format("Typeform", GITLEAKS, r"tfp_(?:[\w=-]|\.(?=[\w-])){40,}"),
    Format("Contentful", TRUFFLEHOG, r"CFPAT-[\w-]{40,}"),
    Format("Frame.io", GITLEAKS, r"fio-u-[\w=-]{60,}"),
    Format("Adobe", GITLEAKS, r"p8e-[0-9a-zA-Z]{32}"),
    Format("Mapbox", GITLEAKS, r"[psk]k\.[A-Za-z0-9]{50,}\.[\w-]{20,}"),
    Format("Dropbox", GITLEAKS, r"sl\.[\w=-]{100,}"),
    Format("Defined Networking", GITLEAKS, r"dnkey-[\w=-]{60,}"),
    Format("Intra 42", GITLEAKS, r"s-s4t2(?:ud|af)-[0-9a-f]{64}"),
    Format("LaunchDarkly", TRUFFLEHOG, rf"(?:api|sdk|mob)-{_UUID}"),
    Format("private key", DETECT_SECRETS, PRIVATE_KEY),
)

# Vendors whose credentials have no shape but a length: known by the vendor's name before them.
VENDORS: Final = (
    "adafruit", "adobe", "airtable", "algolia", "alibaba", "asana", "atlassian", "auth0", "aws", "azure", "beamer", "bitbucket",
    "bittrex", "cloudflare", "codecov", "cohere", "coinbase", "confluence", "confluent", "contentful", "datadog", "deepgram",
    "discord", "droneci", "dropbox", "etsy", "facebook", "fastly", "finicity", "finnhub", "firebase", "flickr", "freshbooks",
    "gitter", "gocardless", "heroku", "hubspot", "intercom", "jfrog", "jira", "kraken", "kucoin", "launchdarkly", "linear",
    "linkedin", "looker", "mailchimp", "mailgun", "mapbox", "mattermost", "meraki", "messagebird", "mistral", "netlify",
    "new[_-]?relic", "nytimes", "okta", "pagerduty", "plaid", "postmark", "private[_-]?ai", "rapidapi", "sendbird", "sentry",
    "snyk", "softlayer", "sonar", "squarespace", "sumo(?:logic)?", "telegram", "travis", "twilio", "twitch", "twitter", "yandex",
    "zendesk",
)
# fmt: on
