package org.fhirstack.server.config;

import com.zaxxer.hikari.HikariConfig;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.hibernate.cfg.AvailableSettings;

/**
 * The keys this server knows. Those of {@code hapi.fhir} are the components of the records they are bound to, those of the
 * pool and of Hibernate are what the libraries in use declare; the rest is {@code settings.txt}. So nothing is listed twice.
 */
public final class AcceptedKeys {
    private static final String HIKARI = "spring.datasource.hikari.";
    private static final String HIBERNATE = "spring.jpa.properties.";
    /** Given once, under spring.datasource, because the wait and the probe use them too. */
    private static final Set<String> NOT_OF_HIKARI =
            Set.of("jdbcUrl", "username", "password", "driverClassName", "dataSource", "dataSourceClassName");

    private final Map<String, Setting> byUniformName = new HashMap<>();
    private final Set<String> withKeysBelow = new HashSet<>();

    public AcceptedKeys() {
        hapiKeys().forEach(key -> add(Setting.accepted(key)));
        recordKeys("fhirstack.database", DatabaseProperties.class).forEach(key -> add(Setting.accepted(key)));
        hikariKeys().forEach(key -> add(Setting.accepted(key)));
        hibernateKeys().forEach(key -> add(Setting.accepted(key)));
        readSettings().forEach(this::add); // last: a rule in the file stands over what a library declares
    }

    private void add(Setting setting) {
        byUniformName.put(KeyName.uniform(setting.key()), setting);
        withKeysBelow.addAll(KeyName.withParents(KeyName.uniform(setting.base())));
    }

    /** The {@code hapi.fhir} keys that are honoured, sorted, in the starter's spelling. */
    public static Collection<String> hapiKeys() {
        Set<String> keys = new TreeSet<>();
        keys.addAll(recordKeys("hapi.fhir", RestProperties.class));
        keys.addAll(recordKeys("hapi.fhir", StorageProperties.class));
        keys.addAll(recordKeys("hapi.fhir", SearchProperties.class));
        keys.addAll(recordKeys("hapi.fhir.subscription", SubscriptionProperties.class));
        return keys;
    }

    /** The setting that decides about a key: its own, else the nearest that covers all below it. */
    Optional<Setting> find(String key) {
        String uniform = KeyName.uniform(key);
        Setting exact = byUniformName.get(uniform);
        if (exact != null) {
            return Optional.of(exact);
        }
        return KeyName.withParents(uniform).stream()
                .map(parent -> byUniformName.get(parent + ".**"))
                .filter(setting -> setting != null)
                .findFirst();
    }

    /** Whether keys are known below this one, as when a file has an empty {@code cors:}. */
    boolean hasKeysBelow(String key) {
        return withKeysBelow.contains(KeyName.uniform(key));
    }

    /** Whether an environment variable spells one of the keys. */
    boolean knowsVariable(String variable) {
        String uniform = KeyName.uniformVariable(variable);
        return byUniformName.keySet().stream().anyMatch(key -> key.endsWith(".**")
                ? uniform.startsWith(key.substring(0, key.length() - 3).replace(".", ""))
                : uniform.equals(key.replace(".", "")));
    }

    /** The setting whose key an environment variable spells, if it is a single one. */
    Optional<Setting> findVariable(String variable) {
        String uniform = KeyName.uniformVariable(variable);
        return byUniformName.entrySet().stream()
                .filter(entry -> entry.getKey().replace(".", "").equals(uniform))
                .map(Map.Entry::getValue)
                .findFirst();
    }

    /** The accepted key that is spelled most like this one, if one is near. */
    Optional<String> nearest(String key) {
        String uniform = KeyName.uniform(key);
        return NearestName.of(
                uniform,
                byUniformName.values().stream()
                        .filter(setting -> setting.rule() != Setting.Rule.REFUSE)
                        .map(Setting::base)
                        .toList(),
                KeyName::uniform);
    }

    private static List<String> recordKeys(String prefix, Class<?> type) {
        return Arrays.stream(type.getRecordComponents())
                .flatMap(component -> recordKeys(prefix, component).stream())
                .toList();
    }

    private static List<String> recordKeys(String prefix, RecordComponent component) {
        String key = prefix + "." + KeyName.snake(component.getName());
        return component.getType().isRecord() ? recordKeys(key, component.getType()) : List.of(key);
    }

    private static List<String> hikariKeys() {
        return Arrays.stream(HikariConfig.class.getMethods())
                .map(Method::getName)
                .filter(name -> name.startsWith("set"))
                .map(name -> name.substring(3, 4).toLowerCase(Locale.ROOT) + name.substring(4))
                .filter(name -> !NOT_OF_HIKARI.contains(name))
                .map(name -> HIKARI + KeyName.dashed(name))
                .toList();
    }

    private static List<String> hibernateKeys() {
        return Arrays.stream(AvailableSettings.class.getFields())
                .filter(field -> field.getType() == String.class)
                .map(AcceptedKeys::valueOf)
                .filter(name -> name.startsWith("hibernate."))
                .map(name -> HIBERNATE + name)
                .toList();
    }

    private static String valueOf(Field constant) {
        try {
            return (String) constant.get(null);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<Setting> readSettings() {
        try (BufferedReader reader = new BufferedReader(new InputStreamReader(
                AcceptedKeys.class.getResourceAsStream("settings.txt"), StandardCharsets.UTF_8))) {
            return reader.lines()
                    .map(String::strip)
                    .filter(line -> !line.isEmpty() && !line.startsWith("#"))
                    .map(AcceptedKeys::parse)
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Setting parse(String line) {
        String[] parts = line.split("\\s*\\|\\s*", -1);
        String rule = parts.length > 1 ? parts[1] : "accept";
        String reason = parts.length > 2 ? parts[2] : "";
        if (rule.equals("accept")) {
            return Setting.accepted(parts[0]);
        }
        if (rule.equals("refuse")) {
            return new Setting(parts[0], Setting.Rule.REFUSE, List.of(), reason);
        }
        if (rule.startsWith("only ")) {
            List<String> values = Arrays.stream(rule.substring(5).toLowerCase(Locale.ROOT).split(","))
                    .map(String::strip)
                    .toList();
            return new Setting(parts[0], Setting.Rule.ONLY, values, reason);
        }
        throw new IllegalStateException("settings.txt: " + line);
    }
}
