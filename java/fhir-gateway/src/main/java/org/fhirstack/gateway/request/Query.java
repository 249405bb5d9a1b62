package org.fhirstack.gateway.request;

import java.net.URLEncoder;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.fhirstack.gateway.Refusal;

/**
 * The parameters of a request in their order, decoded once. The backend gets {@link #encode()}, never the raw text, so
 * it cannot read them differently.
 */
public final class Query {
    public static final Query EMPTY = new Query(List.of());
    private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_.:*-]{0,400}");

    /** One parameter. */
    public record Param(String name, String value) {
    }

    private final List<Param> params;

    private Query(List<Param> params) {
        this.params = List.copyOf(params);
    }

    public static Query of(String... namesAndValues) {
        List<Param> list = new ArrayList<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            list.add(new Param(namesAndValues[i], namesAndValues[i + 1]));
        }
        return new Query(list);
    }

    /** Parses a raw query string or form body; malformed escapes, control characters and odd names are refused. */
    public static Query parse(String raw) {
        if (raw == null || raw.isEmpty()) {
            return EMPTY;
        }
        List<Param> list = new ArrayList<>();
        for (String piece : raw.split("&", -1)) {
            if (piece.isEmpty()) {
                continue;
            }
            int equals = piece.indexOf('=');
            String name = decode(equals < 0 ? piece : piece.substring(0, equals));
            String value = equals < 0 ? "" : decode(piece.substring(equals + 1));
            if (!NAME.matcher(name).matches()) {
                throw Refusal.malformed("A parameter has a name that cannot be one.");
            }
            list.add(new Param(name, value));
        }
        return new Query(list);
    }

    /** Parses a form body, which must be UTF-8 as it stands. */
    public static Query form(byte[] body) {
        try {
            return parse(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString());
        } catch (CharacterCodingException e) {
            throw Refusal.malformed("The form is not UTF-8.");
        }
    }

    public Query plus(String name, String value) {
        List<Param> list = new ArrayList<>(params);
        list.add(new Param(name, value));
        return new Query(list);
    }

    public Query plus(Query other) {
        List<Param> list = new ArrayList<>(params);
        list.addAll(other.params);
        return new Query(list);
    }

    public Query without(Collection<String> names) {
        return params.stream().anyMatch(p -> names.contains(p.name()))
                ? new Query(params.stream().filter(p -> !names.contains(p.name())).toList()) : this;
    }

    /** The same, with one name in the place of another. */
    public Query renamed(String from, String to) {
        return has(from) ? new Query(params.stream().map(p -> p.name().equals(from) ? new Param(to, p.value()) : p)
                .toList()) : this;
    }

    public boolean isEmpty() {
        return params.isEmpty();
    }

    public List<Param> params() {
        return params;
    }

    public boolean has(String name) {
        return params.stream().anyMatch(p -> p.name().equals(name));
    }

    public boolean onlyHas(Set<String> names) {
        return params.stream().allMatch(p -> names.contains(p.name()));
    }

    public List<String> values(String name) {
        return params.stream().filter(p -> p.name().equals(name)).map(Param::value).toList();
    }

    /** The value of a parameter that must not be repeated; null when absent. */
    public String single(String name) {
        List<String> values = values(name);
        if (values.size() > 1) {
            throw Refusal.malformed("The parameter " + name + " must not be repeated.");
        }
        return values.isEmpty() ? null : values.get(0);
    }

    public String encode() {
        StringBuilder out = new StringBuilder();
        for (Param p : params) {
            if (out.length() > 0) {
                out.append('&');
            }
            out.append(URLEncoder.encode(p.name(), StandardCharsets.UTF_8)).append('=')
                    .append(URLEncoder.encode(p.value(), StandardCharsets.UTF_8));
        }
        return out.toString();
    }

    private static String decode(String text) {
        if (text.indexOf('%') < 0 && text.indexOf('+') < 0 && text.chars().allMatch(c -> c > 31 && c < 127)) {
            return text;
        }
        byte[] raw = text.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(raw.length);
        for (int i = 0; i < raw.length; i++) {
            if (raw[i] == '+') {
                bytes.put((byte) ' ');
            } else if (raw[i] != '%') {
                bytes.put(raw[i]);
            } else {
                int high = i + 2 < raw.length ? Character.digit(raw[i + 1], 16) : -1;
                int low = i + 2 < raw.length ? Character.digit(raw[i + 2], 16) : -1;
                if (high < 0 || low < 0) {
                    throw Refusal.malformed("A parameter has a broken percent escape.");
                }
                bytes.put((byte) (high * 16 + low));
                i += 2;
            }
        }
        try {
            String decoded = StandardCharsets.UTF_8.newDecoder().decode(bytes.flip()).toString();
            if (decoded.chars().anyMatch(c -> c < 32 && c != '\t' && c != '\n' && c != '\r')) {
                throw Refusal.malformed("A parameter has a control character.");
            }
            return decoded;
        } catch (CharacterCodingException e) {
            throw Refusal.malformed("A parameter is not UTF-8.");
        }
    }
}
