package org.fhirstack.gateway.config;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.fhirstack.gateway.access.AllowList;
import org.fhirstack.gateway.sync.IgnoreRules;
import org.fhirstack.gateway.sync.TagSystems;

/** The gateway's configuration, read once from the environment and checked completely. */
public record Settings(String proxyTo, String publicBase, Set<String> alternateBases, String issuer, String wellKnown,
        Set<String> tokenClients, Set<String> corsOrigins, AllowList allowList, IgnoreRules ignoreRules,
        TagSystems tagSystems, Duration filterCache, byte[] pageSecret) {

    private static final Pattern ORIGIN = Pattern.compile("https?://[A-Za-z0-9.\\[\\]:-]+");
    /** Names that people meet in other documents and that would be ignored in silence. */
    private static final Map<String, String> MISTAKEN = Map.of(
            "OPENSRP_CACHE_EXPIRY_SECONDS", "the name is opensrp_cache_timeout_seconds",
            "openrsp_cache_timeout_seconds", "the name is opensrp_cache_timeout_seconds",
            "AUDIT_EVENT_ACTIONS_CONFIG", "this gateway writes no AuditEvents; it has an access log");

    public static Settings load(Map<String, String> env) throws ConfigurationException {
        List<String> problems = new ArrayList<>();
        MISTAKEN.forEach((name, why) -> {
            if (env.containsKey(name)) {
                problems.add(name + ": " + why);
            }
        });
        String proxyTo = url(env, "PROXY_TO", problems);
        String publicBase = url(env, "PUBLIC_BASE_URL", problems);
        String issuer = url(env, "TOKEN_ISSUER", problems);
        exactly(env, "ACCESS_CHECKER", "permission", null, problems,
                "other checkers do not know OpenSRP's roles and sync filters, or let everything through");
        exactly(env, "BACKEND_TYPE", "HAPI", null, problems, "only a HAPI FHIR server is supported");
        exactly(env, "RUN_MODE", "PROD", "PROD", problems,
                "DEV would accept tokens of any issuer; nothing is ever relaxed here, not even for tests");
        Settings settings = new Settings(proxyTo, publicBase, alternateBases(env, problems), issuer,
                value(env, "WELL_KNOWN_ENDPOINT", ".well-known/openid-configuration"),
                Set.copyOf(list(env, "TOKEN_CLIENTS")), origins(env, problems), allowList(env, problems),
                ignoreRules(env, problems), TagSystems.of(
                        tagSystem(env, "CARE_TEAM_TAG_URL", "care-team-tag-id", problems),
                        tagSystem(env, "ORGANISATION_TAG_URL", "organisation-tag-id", problems),
                        tagSystem(env, "LOCATION_TAG_URL", "location-tag-id", problems),
                        tagSystem(env, "RELATED_ENTITY_TAG_URL", "related-entity-location-tag-id", problems)),
                seconds(env, problems), secret(env, problems));
        if (!problems.isEmpty()) {
            throw new ConfigurationException(problems);
        }
        return settings;
    }

    private static String value(Map<String, String> env, String name, String otherwise) {
        String value = env.get(name);
        return value == null || value.isBlank() ? otherwise : value.strip();
    }

    private static List<String> list(Map<String, String> env, String name) {
        List<String> items = new ArrayList<>();
        for (String item : value(env, name, "").split(",")) {
            if (!item.isBlank()) {
                items.add(item.strip());
            }
        }
        return items;
    }

    private static String url(Map<String, String> env, String name, List<String> problems) {
        String value = value(env, name, null);
        if (value == null) {
            problems.add(name + " is missing");
            return "";
        }
        return checked(value, name, problems);
    }

    private static String checked(String value, String name, List<String> problems) {
        try {
            URI uri = new URI(value);
            boolean web = "http".equals(uri.getScheme()) || "https".equals(uri.getScheme());
            if (!web || uri.getHost() == null || uri.getQuery() != null || uri.getFragment() != null
                    || uri.getUserInfo() != null || value.endsWith("/")) {
                problems.add(name + " must be an http(s) URL without user, query, fragment or last slash");
            }
        } catch (URISyntaxException e) {
            problems.add(name + " is not a URL");
        }
        return value;
    }

    private static Set<String> alternateBases(Map<String, String> env, List<String> problems) {
        Set<String> bases = new HashSet<>();
        for (String base : list(env, "ALTERNATE_BASE_URLS")) {
            bases.add(checked(base, "ALTERNATE_BASE_URLS (each)", problems));
        }
        return Set.copyOf(bases);
    }

    private static void exactly(Map<String, String> env, String name, String only, String otherwise,
            List<String> problems, String why) {
        String value = value(env, name, otherwise);
        if (value == null) {
            problems.add(name + " is missing (it must be " + only + ")");
        } else if (!value.equals(only)) {
            problems.add(name + " must be " + only + ": " + why);
        }
    }

    private static Set<String> origins(Map<String, String> env, List<String> problems) {
        Set<String> origins = new HashSet<>();
        for (String origin : list(env, "CORS_ALLOW_ORIGIN")) {
            if (!ORIGIN.matcher(origin).matches()) {
                problems.add("CORS_ALLOW_ORIGIN must list exact origins such as https://web.example.org (no *)");
            }
            origins.add(origin);
        }
        return Set.copyOf(origins);
    }

    private static String tagSystem(Map<String, String> env, String name, String last, List<String> problems) {
        String value = value(env, name, "https://smartregister.org/" + last);
        if (!value.matches("[^\\s,|$\\\\]+")) {
            problems.add(name + " must be a URL without blanks and without , | $ \\");
        }
        return value;
    }

    private static AllowList allowList(Map<String, String> env, List<String> problems) {
        String file = value(env, "ALLOWED_QUERIES_FILE", null);
        if (file == null) {
            return AllowList.EMPTY;
        }
        try {
            AllowList.Result result = AllowList.read(Files.readAllBytes(Path.of(file)));
            result.problems().forEach(p -> problems.add("ALLOWED_QUERIES_FILE: " + p));
            return result.list();
        } catch (IOException e) {
            problems.add("ALLOWED_QUERIES_FILE cannot be read: " + file);
            return AllowList.EMPTY;
        }
    }

    private static IgnoreRules ignoreRules(Map<String, String> env, List<String> problems) {
        String file = value(env, "SYNC_FILTER_IGNORE_RESOURCES_FILE", null);
        try {
            if (file == null) {
                return IgnoreRules.standard();
            }
            IgnoreRules.Result result = IgnoreRules.read(Files.readAllBytes(Path.of(file)));
            result.problems().forEach(p -> problems.add("SYNC_FILTER_IGNORE_RESOURCES_FILE: " + p));
            return result.rules();
        } catch (IOException e) {
            problems.add("SYNC_FILTER_IGNORE_RESOURCES_FILE cannot be read: " + file);
            return null;
        }
    }

    private static Duration seconds(Map<String, String> env, List<String> problems) {
        String text = value(env, "opensrp_cache_timeout_seconds", "60");
        if (!text.matches("[0-9]{1,5}")) {
            problems.add("opensrp_cache_timeout_seconds must be a number of seconds from 0 (no cache) to 99999");
            return Duration.ZERO;
        }
        return Duration.ofSeconds(Integer.parseInt(text));
    }

    private static byte[] secret(Map<String, String> env, List<String> problems) {
        String file = value(env, "PAGE_LINK_SECRET_FILE", null);
        if (file == null) {
            problems.add("PAGE_LINK_SECRET_FILE is missing (a file with at least 32 random bytes, the same for all"
                    + " replicas)");
            return new byte[0];
        }
        try {
            byte[] secret = new String(Files.readAllBytes(Path.of(file)), StandardCharsets.ISO_8859_1).strip()
                    .getBytes(StandardCharsets.ISO_8859_1);
            if (secret.length < 32) {
                problems.add("PAGE_LINK_SECRET_FILE must hold at least 32 bytes");
            }
            return secret;
        } catch (IOException e) {
            problems.add("PAGE_LINK_SECRET_FILE cannot be read: " + file);
            return new byte[0];
        }
    }
}
