import { identityStatuses } from '../../users/index.ts';
import {
  type Attribute,
  binary,
  boolean,
  complex,
  dateTime,
  readOnly,
  reference,
  type Schema,
  string,
  values,
} from './attribute.ts';

export const userSchema = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const enterpriseSchema = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
export const cardeaSchema = 'urn:ietf:params:scim:schemas:extension:cardea:2.0:User';

/** RFC 7643, section 3.1: of every resource, in no schema's list. */
export const commonAttributes: Attribute[] = [
  string('id', 'Our id of the resource', {
    caseExact: true,
    mutability: 'readOnly',
    returned: 'always',
    uniqueness: 'server',
  }),
  string('externalId', "The client's own id of the resource", { caseExact: true }),
  complex(
    'meta',
    'What is known of the resource itself',
    [
      string('resourceType', 'User or Group', { caseExact: true, ...readOnly }),
      dateTime('created', 'When it was made', readOnly),
      dateTime('lastModified', 'When it was last changed', readOnly),
      reference('location', 'Its address', readOnly),
      string('version', 'Its entity tag', { caseExact: true, ...readOnly }),
    ],
    readOnly,
  ),
];

/** RFC 7643, section 4.1. */
export const coreUser: Schema = {
  id: userSchema,
  name: 'User',
  description: 'A person',
  attributes: [
    string('userName', 'What the directory knows the person by; unique here, whatever the case', {
      required: true,
      uniqueness: 'server',
    }),
    complex('name', "The parts of the person's name", [
      string('formatted', 'The whole name as it is shown'),
      string('familyName', 'Family name'),
      string('givenName', 'Given name'),
      string('middleName', 'Middle names'),
      string('honorificPrefix', 'What stands before the name, as Dr.'),
      string('honorificSuffix', 'What stands behind it, as III'),
    ]),
    string('displayName', 'What to call the person on a page; the claim `name`'),
    string('nickName', 'The claim `nickname`'),
    reference('profileUrl', 'A page about the person; the claim `profile`', { referenceTypes: ['external'] }),
    string('title', 'Title in the organisation, as Vice President'),
    string('userType', 'The relation to the organisation, as Employee'),
    string('preferredLanguage', 'As of the header Accept-Language'),
    string('locale', 'BCP 47; the claim `locale`'),
    string('timezone', 'A name of the IANA time zone database; the claim `zoneinfo`'),
    boolean('active', 'False suspends the person and ends everything they hold, at once; true takes that back'),
    string('password', 'The password to sign in with', { mutability: 'writeOnly', returned: 'never', caseExact: true }),
    values('emails', 'E-mail addresses; the primary one is the address of the account', {
      types: ['work', 'home', 'other'],
    }),
    values('phoneNumbers', 'Telephone numbers; the primary one is the claim `phone_number`', {
      types: ['work', 'home', 'mobile', 'fax', 'pager', 'other'],
    }),
    values('ims', 'Addresses for instant messages'),
    values('photos', 'Addresses of pictures; the primary one is the claim `picture`', {
      value: reference('value', 'The address of the picture', { referenceTypes: ['external'] }),
      types: ['photo', 'thumbnail'],
    }),
    complex(
      'addresses',
      'Postal addresses; the primary one is the claim `address`',
      [
        string('formatted', 'The whole address, for people to read'),
        string('streetAddress', 'Street and number'),
        string('locality', 'City'),
        string('region', 'State or region'),
        string('postalCode', 'Postal code'),
        string('country', 'ISO 3166-1 alpha-2'),
        string('type', 'What it is for', { canonicalValues: ['work', 'home', 'other'] }),
        boolean('primary', 'Whether it is the preferred one; at most one is'),
      ],
      { multiValued: true },
    ),
    complex(
      'groups',
      'The groups the person is in; changed at the groups',
      [
        string('value', 'Id of the group', { caseExact: true, ...readOnly }),
        reference('$ref', 'Address of the group', { referenceTypes: ['Group'], ...readOnly }),
        string('display', 'Name of the group', readOnly),
        string('type', 'direct, or indirect by another group', {
          canonicalValues: ['direct', 'indirect'],
          ...readOnly,
        }),
      ],
      { multiValued: true, ...readOnly },
    ),
    values('entitlements', 'What the person may use'),
    values('roles', 'What the person is to the organisation'),
    values('x509Certificates', 'Certificates of the person', { value: binary('value', 'DER in base64') }),
  ],
};

/** RFC 7643, section 4.3. */
export const enterpriseUser: Schema = {
  id: enterpriseSchema,
  name: 'EnterpriseUser',
  description: 'What an organisation knows of its own people',
  attributes: [
    string('employeeNumber', 'Number in the organisation'),
    string('costCenter', 'Cost centre'),
    string('organization', 'Organisation'),
    string('division', 'Division'),
    string('department', 'Department'),
    complex('manager', 'Whom the person reports to', [
      string('value', 'Id of that person here', { caseExact: true }),
      reference('$ref', 'Address of that person here; may stand for the id', { referenceTypes: ['User'] }),
      string('displayName', 'Name of that person', readOnly),
    ]),
  ],
};

/** What this server adds: the state an account is in, what was proved of it, and the custom fields. */
export const cardeaUser = (customFields: readonly Attribute[]): Schema => ({
  id: cardeaSchema,
  name: 'CardeaUser',
  description: 'What Cardea knows of a person beside the standard attributes',
  attributes: [
    string('state', 'The state of the account. `active` tells only whether it is stopped', {
      canonicalValues: ['Created', 'Unverified', 'PasswordResetRequired', 'Active', 'Suspended', 'Deactivated'],
    }),
    dateTime('stateChangedAt', 'Since when it is in that state', readOnly),
    boolean('emailVerified', 'Whether the primary e-mail address is proved or vouched for', readOnly),
    boolean('phoneNumberVerified', 'Whether the primary telephone number is proved', readOnly),
    dateTime('lastSignInAt', 'When the person last signed in', readOnly),
    string('identityStatus', 'How far it is proved who the person is outside, as the service that checks it says', {
      canonicalValues: [...identityStatuses],
      ...readOnly,
    }),
    dateTime('identityStatusAt', 'Since when it is so', readOnly),
    ...customFields,
  ],
});
